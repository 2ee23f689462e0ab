#include "delta/make/splice_parse.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "delta/splice_context.hpp"

namespace picket::delta {

namespace {

// A stretch of the new content that lies in the old one at one distance, with differences here and there.
struct Stretch {
  std::size_t fresh = 0, old = 0, length = 0;
};

std::size_t equal_run(std::string_view a, std::size_t i, std::string_view b, std::size_t j) {
  std::size_t n = 0;
  while (i + n < a.size() && j + n < b.size() && a[i + n] == b[j + n]) ++n;
  return n;
}

// Goes through the new content, leaves the present distance only for a match that is clearly longer than what the present one gives, and then
// lets both neighbours grow into the gap as long as more than half of their bytes are right.
class Finder {
 public:
  Finder(std::string_view old, std::string_view fresh, const SuffixIndex& index, unsigned gain) : old_(old), fresh_(fresh), index_(index), gain_(gain) {}

  std::vector<Stretch> run() {
    std::size_t scan = equal_run(fresh_, 0, old_, 0);
    std::size_t length = scan, at = 0;
    present_ = {0, 0, 0};
    if (scan == fresh_.size()) return {{0, 0, scan}};
    while (scan < fresh_.size()) {
      std::size_t right = 0;  // bytes of the candidate that the present distance gets right too
      auto counted = scan;
      bool found = false;
      for (; scan < fresh_.size(); ++scan) {
        const auto match = index_.longest(fresh_.substr(scan));
        length = match.length;
        at = match.at;
        for (; counted < scan + length; ++counted) right += is_right(counted);
        if (length == right && length != 0) break;
        if (length > right + gain_) {
          found = true;
          break;
        }
        if (counted > scan) right -= is_right(scan);
        else counted = scan + 1, right = 0;
      }
      if (!found && scan < fresh_.size()) {
        scan += length;  // as good at the present distance: nothing new
        if (scan < fresh_.size()) continue;
      }
      change(scan, at, found || false);
      scan += length;
    }
    change(fresh_.size(), old_.size(), false);
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool is_right(std::size_t i) const {
    const auto j = i + present_.old - present_.fresh;
    return j < old_.size() && old_[j] == fresh_[i];
  }

  // The present stretch ends somewhere before `scan`, where the one at `at` begins.
  void change(std::size_t scan, std::size_t at, bool goes_on) {
    scan = std::min(scan, fresh_.size());
    std::size_t forward = 0, backward = 0;
    std::int64_t best = 0, score = 0;
    for (std::size_t i = 0; present_.fresh + i < scan && present_.old + i < old_.size();) {
      score += old_[present_.old + i] == fresh_[present_.fresh + i] ? 1 : -1;
      ++i;
      if (score >= best) best = score, forward = i;
    }
    if (goes_on) {
      best = score = 0;
      for (std::size_t i = 1; scan >= present_.fresh + i && at >= i; ++i) {
        score += old_[at - i] == fresh_[scan - i] ? 1 : -1;
        if (score > best) best = score, backward = i;
        if (score < best - 64) break;
      }
    }
    if (present_.fresh + forward > scan - backward) {
      // Both claim it: the split that gets most bytes right.
      const auto overlap = present_.fresh + forward - (scan - backward);
      std::int64_t gain = 0, most = 0;
      std::size_t split = 0;
      for (std::size_t i = 0; i < overlap; ++i) {
        gain += fresh_[present_.fresh + forward - overlap + i] == old_[present_.old + forward - overlap + i];
        gain -= fresh_[scan - backward + i] == old_[at - backward + i];
        if (gain > most) most = gain, split = i + 1;
      }
      forward -= overlap - split;
      backward -= split;
    }
    if (forward > 0) out_.push_back({present_.fresh, present_.old, forward});
    present_ = {scan - backward, at - backward, 0};
  }

  std::string_view old_, fresh_;
  const SuffixIndex& index_;
  std::size_t gain_;
  Stretch present_;
  std::vector<Stretch> out_;
};

// Insertions between two lines or records of which the neighbours begin alike can stand in several places: at the beginning of a line or record
// what is inserted is like what follows.
void align(std::string_view old, std::string_view fresh, std::vector<Stretch>& stretches) {
  const bool records = old.size() % 32 == 0 && fresh.size() % 32 == 0;
  for (std::size_t i = 0; i + 1 < stretches.size(); ++i) {
    auto& left = stretches[i];
    auto& right = stretches[i + 1];
    if (left.old + left.length != right.old) continue;
    const auto begin = left.fresh + left.length, gap = right.fresh - begin;
    if (gap == 0) continue;
    std::size_t back = 0, ahead = 0;
    while (back + 1 < left.length && back < 4096 && fresh[begin - 1 - back] == fresh[begin + gap - 1 - back] && old[right.old - 1 - back] == fresh[begin + gap - 1 - back]) ++back;
    while (ahead + 1 < right.length && ahead < 4096 && fresh[begin + ahead] == fresh[begin + gap + ahead] && old[right.old + ahead] == fresh[begin + ahead]) ++ahead;
    auto chosen = begin - back;
    for (auto at = begin - back; at <= begin + ahead; ++at)
      if (records ? at % 32 == 0 : at > 0 && fresh[at - 1] == '\n') {
        chosen = at;
        break;
      }
    const auto move = static_cast<std::ptrdiff_t>(chosen) - static_cast<std::ptrdiff_t>(begin);
    left.length += static_cast<std::size_t>(move);
    right.fresh += static_cast<std::size_t>(move);
    right.old += static_cast<std::size_t>(move);
    right.length -= static_cast<std::size_t>(move);
  }
}

class Writer {
 public:
  Writer(std::string_view old, std::string_view fresh, const SuffixIndex& index, const ParseOptions& options)
      : old_(old), fresh_(fresh), index_(index), options_(options) {}

  std::vector<Step> run(const std::vector<Stretch>& stretches) {
    if (options_.words) count_words(stretches);
    std::size_t fresh = 0, at = 0;
    for (const auto& stretch : stretches) {
      const auto gap = stretch.fresh - fresh;
      auto jump = static_cast<std::int64_t>(stretch.old) - static_cast<std::int64_t>(at);
      if (gap > 0 && insert(fresh, gap, jump == static_cast<std::int64_t>(gap))) jump = 0;
      if (jump != 0) event({0, Event::seek, 0, jump, false});
      inside(stretch);
      fresh = stretch.fresh + stretch.length;
      at = stretch.old + stretch.length;
    }
    if (fresh < fresh_.size()) insert(fresh, fresh_.size() - fresh, false);
    steps_.push_back({copy_, Event::substitute, 0, 0, true});
    return std::move(steps_);
  }

 private:
  void event(Step step) {
    step.copy = copy_;
    copy_ = 0;
    steps_.push_back(step);
  }

  // What is new: literals, and quotations where the old content has the same somewhere. True: said as a substitution.
  bool insert(std::size_t begin, std::size_t size, bool same_size) {
    const auto end = begin + size;
    auto literals = begin;
    if (options_.quote_from > 0)
      for (auto at = begin; at + 8 <= end;) {
        auto best = worth(at, end);
        if (best.gain > 0) {
          if (const auto later = worth(at + 1, end); later.gain > best.gain + 8) best = later, ++at;
        }
        if (best.gain <= 0) {
          ++at;
          continue;
        }
        // What was passed over before it may fit too.
        while (at > literals && best.at > 0 && fresh_[at - 1] == old_[best.at - 1]) --at, --best.at, ++best.length;
        if (at > literals) event({0, Event::insert, at - literals, 0, false});
        event({0, Event::quote, best.length, static_cast<std::int64_t>(best.at) - static_cast<std::int64_t>(quoted_), false});
        at += best.length;
        quoted_ = best.at + best.length;
        quoted_in_ = at;
        literals = at;
      }
    if (literals == begin && same_size) {
      event({0, Event::substitute, size, 0, false});
      return true;
    }
    if (literals < end) event({0, Event::insert, end - literals, 0, false});
    return false;
  }

  struct Quotation {
    std::size_t at = 0, length = 0;
    std::int64_t gain = 0;  // in 1/8 bits
  };
  [[nodiscard]] Quotation worth(std::size_t begin, std::size_t end) const {
    const auto wanted = fresh_.substr(begin, end - begin);
    const auto weigh = [&](std::size_t at, std::size_t length) {
      const auto distance = static_cast<std::int64_t>(at) - static_cast<std::int64_t>(quoted_);
      const auto cost = 8 * (12 + static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(distance < 0 ? -distance : distance))));
      return Quotation{at, length, static_cast<std::int64_t>(length * options_.quote_from) - cost};
    };
    const auto found = index_.longest(wanted);
    auto best = weigh(found.at, found.length);
    // Where the last quotation would go on.
    const auto on = quoted_ + (begin - std::min(begin, quoted_in_));
    for (const auto at : {on, quoted_})
      if (at < old_.size())
        if (const auto other = weigh(at, equal_run(wanted, 0, old_, at)); other.gain > best.gain) best = other;
    return best;
  }

  [[nodiscard]] std::uint32_t delta(const Stretch& stretch, std::size_t i) const { return load_word(fresh_, stretch.fresh + i) - load_word(old_, stretch.old + i); }

  void count_words(const std::vector<Stretch>& stretches) {
    for (const auto& stretch : stretches)
      for (std::size_t i = 0; i + 4 <= stretch.length;) {
        if (fresh_[stretch.fresh + i] == old_[stretch.old + i]) {
          ++i;
          continue;
        }
        ++words_[delta(stretch, i)];
        i += 4;
      }
  }
  [[nodiscard]] std::uint32_t popularity(std::uint32_t delta) const {
    const auto found = words_.find(delta);
    return found == words_.end() ? 0 : found->second;
  }

  void inside(const Stretch& stretch) {
    for (std::size_t i = 0; i < stretch.length;) {
      if (fresh_[stretch.fresh + i] == old_[stretch.old + i]) {
        ++i;
        ++copy_;
        continue;
      }
      if (options_.words) {
        // A word may begin up to three equal bytes before.
        std::size_t best = 4;
        std::uint32_t most = 2;
        for (std::size_t before = 0; before < 4 && before <= copy_ && before <= i; ++before) {
          if (i - before + 4 > stretch.length) continue;
          if (const auto seen = popularity(delta(stretch, i - before)); seen > most) most = seen, best = before;
        }
        if (best < 4) {
          copy_ -= best;
          event({0, Event::word, 0, 0, false});
          i = i - best + 4;
          continue;
        }
      }
      auto end = i + 1;
      for (std::size_t same = 0, j = i + 1; j < stretch.length && same < 4; ++j) {
        if (fresh_[stretch.fresh + j] == old_[stretch.old + j]) {
          ++same;
        } else {
          if (options_.words && j + 4 <= stretch.length && popularity(delta(stretch, j)) > 8) break;
          same = 0;
          end = j + 1;
        }
      }
      event({0, Event::substitute, end - i, 0, false});
      i = end;
    }
  }

  std::string_view old_, fresh_;
  const SuffixIndex& index_;
  const ParseOptions& options_;
  std::size_t quoted_ = 0, quoted_in_ = 0;
  std::unordered_map<std::uint32_t, std::uint32_t> words_;
  std::vector<Step> steps_;
  std::uint64_t copy_ = 0;
};

}  // namespace

std::vector<Step> parse(std::string_view old, std::string_view fresh, const SuffixIndex& index, const ParseOptions& options) {
  auto stretches = Finder(old, fresh, index, options.least_gain).run();
  align(old, fresh, stretches);
  return Writer(old, fresh, index, options).run(stretches);
}

}  // namespace picket::delta
