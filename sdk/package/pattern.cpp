#include "package/pattern.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace picket::package {
namespace {

constexpr std::size_t max_text = 1024, max_steps = 1024, max_subject = 65536;
constexpr unsigned max_groups = 32, max_repeat = 1000;

// Lenient on purpose: a broken byte is taken as itself, so that no input is refused here.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  if (more == 0 || at + more >= text.size()) return byte(at++);
  char32_t code = first & (0x3fU >> more);
  for (unsigned i = 1; i <= more; ++i) code = code << 6 | (byte(at + i) & 0x3fU);
  at += more + 1;
  return code;
}

}  // namespace

bool Pattern::Set::contains(char32_t c) const {
  const bool in = std::ranges::any_of(ranges, [c](const auto& range) { return c >= range.first && c <= range.second; });
  return in != negated;
}

// Recursive descent straight into steps; a repeated part's steps are copied.
class PatternCompiler {
 public:
  using Step = Pattern::Step;
  using What = Step::What;

  explicit PatternCompiler(std::string_view text) : text_(text) {}

  Result<Pattern> run() {
    if (text_.size() > max_text) return fail(Code::too_large, "longer than 1024 bytes");
    if (!alternatives(0)) return fail(code_, why_);
    if (at_ != text_.size()) return fail(Code::invalid, "an unmatched ')'");
    emit({What::match});
    if (out_.steps_.size() > max_steps) return fail(Code::too_large, "too large once repetition is written out");
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool error(std::string_view why, Code code = Code::invalid) {
    why_ = why;
    code_ = code;
    return false;
  }
  [[nodiscard]] bool more() const { return at_ < text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }
  std::uint32_t here() const { return static_cast<std::uint32_t>(out_.steps_.size()); }
  void emit(Step step) { out_.steps_.push_back(step); }

  [[nodiscard]] bool alternatives(unsigned depth) {
    if (depth > max_groups) return error("groups nested deeper than 32", Code::too_large);
    std::vector<std::uint32_t> exits;
    for (;;) {
      const auto fork = here();
      emit({What::split, fork + 1, 0});
      if (!sequence(depth)) return false;
      if (!more() || peek() != '|') {
        out_.steps_[fork] = {What::jump, fork + 1};
        break;
      }
      ++at_;
      exits.push_back(here());
      emit({What::jump});
      out_.steps_[fork].b = here();
    }
    for (const auto exit : exits) out_.steps_[exit].a = here();
    return true;
  }

  [[nodiscard]] bool sequence(unsigned depth) {
    while (more() && peek() != '|' && peek() != ')')
      if (!repeated(depth)) return false;
    return true;
  }

  [[nodiscard]] bool repeated(unsigned depth) {
    const auto steps_from = here();
    const bool is_anchor = peek() == '^' || peek() == '$';
    if (!atom(depth)) return false;
    if (!more()) return true;
    unsigned least = 1;
    std::optional<unsigned> most = 1;
    switch (peek()) {
      case '*': least = 0, most.reset(), ++at_; break;
      case '+': most.reset(), ++at_; break;
      case '?': least = 0, ++at_; break;
      case '{': if (!counts(least, most)) return false; break;
      default: return true;
    }
    if (is_anchor) return error("an anchor cannot be repeated");
    if (more() && peek() == '?') ++at_;  // lazy: matches the same texts
    if (more() && (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{')) return error("nothing to repeat");

    // Write it out: `least` copies, then optional ones or a loop.
    const std::vector<Step> part(out_.steps_.begin() + steps_from, out_.steps_.end());
    out_.steps_.resize(steps_from);
    const auto copy = [&] {
      if (out_.steps_.size() + part.size() > max_steps) return error("too large once repetition is written out", Code::too_large);
      const auto moved = here() - steps_from;
      for (auto step : part) {
        if (step.what == What::split || step.what == What::jump) step.a += moved, step.b += moved;
        emit(step);
      }
      return true;
    };
    for (unsigned i = 0; i < least; ++i)
      if (!copy()) return false;
    if (!most) {
      const auto loop = here();
      emit({What::split, loop + 1, 0});
      if (!copy()) return false;
      emit({What::jump, loop});
      out_.steps_[loop].b = here();
    } else {
      std::vector<std::uint32_t> forks;
      for (unsigned i = least; i < *most; ++i) {
        forks.push_back(here());
        emit({What::split, here() + 1, 0});
        if (!copy()) return false;
      }
      for (const auto fork : forks) out_.steps_[fork].b = here();
    }
    return true;
  }

  [[nodiscard]] bool number(unsigned& out) {
    out = 0;
    const auto from = at_;
    for (; more() && peek() >= '0' && peek() <= '9'; ++at_) {
      out = out * 10 + static_cast<unsigned>(peek() - '0');
      if (out > max_repeat) return error("a count over 1000", Code::too_large);
    }
    return at_ != from || error("a malformed {count}");
  }

  [[nodiscard]] bool counts(unsigned& least, std::optional<unsigned>& most) {
    ++at_;
    if (!number(least)) return false;
    most = least;
    if (more() && peek() == ',') {
      ++at_;
      most.reset();
      if (more() && peek() != '}') {
        unsigned value = 0;
        if (!number(value)) return false;
        if (value < least) return error("a {count} whose end is before its start");
        most = value;
      }
    }
    if (!more() || peek() != '}') return error("a malformed {count}");
    ++at_;
    return true;
  }

  [[nodiscard]] bool atom(unsigned depth) {
    switch (peek()) {
      case '(': {
        ++at_;
        if (more() && peek() == '?') {
          if (text_.substr(at_, 2) != "?:") return error("lookaround and named groups are not supported", Code::unsupported);
          at_ += 2;
        }
        if (!alternatives(depth + 1)) return false;
        if (!more()) return error("a '(' without ')'");
        ++at_;
        return true;
      }
      case '[': return bracket();
      case '.': ++at_; return set({true, {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}});
      case '^': ++at_; emit({What::begin}); return true;
      case '$': ++at_; emit({What::end}); return true;
      case '*': case '+': case '?': case '{': return error("nothing to repeat");
      case '\\': {
        Pattern::Set one;
        if (!escape(one)) return false;
        return set(std::move(one));
      }
      default: {
        const auto c = next_code_point(text_, at_);
        return set({false, {{c, c}}});
      }
    }
  }

  [[nodiscard]] bool set(Pattern::Set one) {
    emit({What::set, static_cast<std::uint32_t>(out_.sets_.size())});
    out_.sets_.push_back(std::move(one));
    return true;
  }

  // After '\': a class or one character.
  [[nodiscard]] bool escape(Pattern::Set& out) {
    if (++at_ == text_.size()) return error("ends with '\\'");
    const char c = text_[at_++];
    const auto one = [&](char32_t code) { return out.ranges.emplace_back(code, code), true; };
    switch (c) {
      case 'd': out.ranges = {{'0', '9'}}; return true;
      case 'D': out = {true, {{'0', '9'}}}; return true;
      case 'w': out.ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; return true;
      case 'W': out = {true, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}; return true;
      case 's': out.ranges = {{'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x2028, 0x2029}, {0xfeff, 0xfeff}}; return true;
      case 'S': out = {true, {{'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x2028, 0x2029}, {0xfeff, 0xfeff}}}; return true;
      case 'n': return one('\n');
      case 'r': return one('\r');
      case 't': return one('\t');
      case 'f': return one('\f');
      case 'v': return one('\v');
      case '0': return one(0);
      case 'x': return hex(2, out);
      case 'u': return hex(4, out);
      default: break;
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      return error(cat("\\", std::string_view(&c, 1), " is not supported"), Code::unsupported);
    --at_;
    return one(next_code_point(text_, at_));
  }

  [[nodiscard]] bool hex(unsigned digits, Pattern::Set& out) {
    char32_t code = 0;
    for (unsigned i = 0; i < digits; ++i, ++at_) {
      if (!more()) return error("an escape without its hex digits");
      const int value = hex_digit(peek());
      if (value < 0) return error("an escape without its hex digits");
      code = code << 4 | static_cast<char32_t>(value);
    }
    out.ranges.emplace_back(code, code);
    return true;
  }

  [[nodiscard]] bool bracket() {
    Pattern::Set all;
    if (++at_ < text_.size() && peek() == '^') all.negated = true, ++at_;
    for (;;) {
      if (!more()) return error("a '[' without ']'");
      if (peek() == ']') break;
      Pattern::Set low;
      if (!member(low)) return false;
      const bool range = at_ + 1 < text_.size() && peek() == '-' && text_[at_ + 1] != ']';
      if (range) {
        ++at_;
        Pattern::Set high;
        if (!member(high)) return false;
        if (!is_one(low) || !is_one(high) || high.ranges[0].first < low.ranges[0].first) return error("a malformed range in [ ]");
        all.ranges.emplace_back(low.ranges[0].first, high.ranges[0].first);
      } else if (low.negated) {
        invert_into(low, all);
      } else {
        all.ranges.insert(all.ranges.end(), low.ranges.begin(), low.ranges.end());
      }
    }
    ++at_;
    return set(std::move(all));
  }

  [[nodiscard]] bool member(Pattern::Set& out) {
    if (!more()) return error("a '[' without ']'");
    if (peek() == '\\') {
      if (at_ + 1 < text_.size() && text_[at_ + 1] == 'b') return at_ += 2, out.ranges.emplace_back('\b', '\b'), true;
      return escape(out);
    }
    const auto c = next_code_point(text_, at_);
    out.ranges.emplace_back(c, c);
    return true;
  }
  static bool is_one(const Pattern::Set& set) { return !set.negated && set.ranges.size() == 1 && set.ranges[0].first == set.ranges[0].second; }

  // The classes' ranges are sorted and apart.
  static void invert_into(const Pattern::Set& negated, Pattern::Set& out) {
    char32_t from = 0;
    for (const auto& [first, last] : negated.ranges) {
      if (first > from) out.ranges.emplace_back(from, first - 1);
      from = last + 1;
    }
    out.ranges.emplace_back(from, 0x10ffff);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Pattern out_;
  std::string why_;
  Code code_ = Code::invalid;
};

Result<Pattern> Pattern::compile(std::string_view text) { return PatternCompiler(text).run(); }

// All positions of the program at once (Thompson): steps * length at most.
bool Pattern::matches(std::string_view utf8) const {
  if (utf8.size() > max_subject) return false;
  std::vector<std::uint32_t> now, next, stack;
  std::vector<std::size_t> seen(steps_.size(), 0);  // generation in which a step was added last
  std::size_t generation = 0;
  const auto add = [&](std::vector<std::uint32_t>& list, std::uint32_t start, bool at_begin, bool at_end) {
    stack.assign(1, start);
    while (!stack.empty()) {
      const auto step = stack.back();
      stack.pop_back();
      if (seen[step] == generation) continue;
      seen[step] = generation;
      const auto& what = steps_[step];
      switch (what.what) {
        case Step::What::jump: stack.push_back(what.a); break;
        case Step::What::split: stack.push_back(what.b), stack.push_back(what.a); break;
        case Step::What::begin: if (at_begin) stack.push_back(step + 1); break;
        case Step::What::end: if (at_end) stack.push_back(step + 1); break;
        case Step::What::match: return true;
        case Step::What::set: list.push_back(step); break;
      }
    }
    return false;
  };
  ++generation;
  for (std::size_t at = 0;;) {
    if (add(now, 0, at == 0, at == utf8.size())) return true;
    if (at == utf8.size()) return false;
    const auto c = next_code_point(utf8, at);
    ++generation;
    next.clear();
    for (const auto step : now)
      if (sets_[steps_[step].a].contains(c) && add(next, step + 1, false, at == utf8.size())) return true;
    now.swap(next);
  }
}

}  // namespace picket::package
