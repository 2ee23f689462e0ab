// Reading the splice method: see splice_model.hpp for what it says.
#include <algorithm>
#include <cstring>

#include "delta/bit_coder.hpp"
#include "delta/methods.hpp"
#include "delta/splice_model.hpp"
#include "delta/word_model.hpp"

namespace picket::delta {

namespace {

constexpr std::size_t buffer_size = 128 * 1024;
constexpr std::uint64_t long_copy = 32 * 1024;   // handed out as it lies there
constexpr std::uint64_t piece = 256 * 1024;

template <class Model>
class SplicePatch final : public Patch {
 public:
  template <class... Options>
  SplicePatch(const Header& header, std::string_view old, std::string_view body, Options... options)
      : header_(header), old_(old), coder_(body), model_(coder_, options...), buffer_(buffer_size + 4, '\0') {}

  Result<std::string_view> next() override {
    used_ = 0;
    while (made_ < header_.new_length) {
      if (state_ == State::copy && left_ >= long_copy) {
        if (used_ > 0) break;
        const auto size = std::min(left_, piece);
        const auto out = old_.substr(at_, size);
        at_ += size;
        left_ -= size;
        made_ += size;
        model_.passed(out);
        return out;  // the event after it belongs to the next piece
      }
      if (used_ >= buffer_size) break;
      PICKET_TRY(step());
    }
    return std::string_view(buffer_).substr(0, used_);
  }

  const Header& header() const override { return header_; }

 private:
  enum class State { begin, copy, literals, quote };

  static tl::unexpected<Error> damaged(std::string_view what) { return fail(Code::untrusted, cat("damaged delta: ", what)); }

  Result<> step() {
    switch (state_) {
      case State::begin:
        left_ = model_.copy_length(0);
        if (coder_.is_beyond()) return damaged("it ends too early");
        if (left_ > header_.new_length - made_ || left_ > old_.size() - at_) return damaged("copies what is not there");
        if (left_ == 0 && idle_ > 1) return damaged("goes round in circles");
        if (left_ > 0) idle_ = 0;
        state_ = State::copy;
        return left_ == 0 ? after_copy() : Result<>{};
      case State::copy: {
        const auto size = std::min<std::uint64_t>(left_, buffer_size - used_);
        put(old_.substr(at_, size));
        at_ += size;
        left_ -= size;
        return left_ == 0 ? after_copy() : Result<>{};
      }
      case State::quote: {
        const auto size = std::min<std::uint64_t>(left_, buffer_size - used_);
        put(old_.substr(quoted_, size));
        quoted_ += size;
        left_ -= size;
        if (left_ == 0) state_ = State::begin;
        return {};
      }
      case State::literals: {
        for (; left_ > 0 && used_ < buffer_size; --left_, ++made_) {
          buffer_[used_++] = static_cast<char>(model_.literal(0, expected(old_, expected_++), made_));
        }
        if (coder_.is_beyond()) return damaged("it ends too early");
        if (left_ > 0) return {};
        if (advances_) at_ = expected_;
        state_ = State::begin;
        return {};
      }
    }
    return {};
  }

  // Only while something is to come: a copy up to the end is the end.
  Result<> after_copy() {
    if (made_ == header_.new_length) return {};
    const auto event = model_.event(Event::substitute);
    state_ = State::begin;
    ++idle_;
    switch (event) {
      case Event::seek: {
        const auto by = model_.seek_distance(1);
        return move(by, at_) ? Result<>{} : damaged("goes where nothing is");
      }
      case Event::word: {
        if (old_.size() - at_ < 4 || header_.new_length - made_ < 4) return damaged("a word that is not there");
        idle_ = 0;
        const auto word = store_word(model_.word(0, load_word(old_, at_)));
        at_ += 4;
        put({word.data(), word.size()});  // the buffer has room for one beyond its size
        return {};
      }
      case Event::quote: {
        if (!move(model_.quote_distance(1), quoted_)) return damaged("quotes what is not there");
        left_ = model_.quote_length(1);
        if (left_ > old_.size() - quoted_ || left_ > header_.new_length - made_) return damaged("quotes what is not there");
        idle_ = 0;
        state_ = State::quote;
        return {};
      }
      case Event::substitute:
      case Event::insert: break;
      default: return damaged("says what is not known");
    }
    left_ = model_.literal_count(1);
    advances_ = event == Event::substitute;
    if (left_ > header_.new_length - made_) return damaged("more bytes than it said");
    if (advances_ && left_ > old_.size() - at_) return damaged("replaces what is not there");
    idle_ = 0;
    expected_ = at_;
    model_.begin_literals(old_, at_, left_);
    state_ = State::literals;
    return {};
  }

  bool move(std::int64_t by, std::uint64_t& at) const {
    if (by < 0 ? static_cast<std::uint64_t>(-by) > at : static_cast<std::uint64_t>(by) > old_.size() - at) return false;
    at += static_cast<std::uint64_t>(by);
    return true;
  }
  void put(std::string_view bytes) {
    std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    made_ += bytes.size();
    model_.passed(bytes);
  }

  const Header header_;
  const std::string_view old_;
  BitDecoder coder_;
  Model model_;
  std::string buffer_;
  std::size_t used_ = 0;
  State state_ = State::begin;
  std::uint64_t made_ = 0, at_ = 0, left_ = 0, quoted_ = 0, expected_ = 0;
  unsigned idle_ = 0;
  bool advances_ = false;
};

}  // namespace

Result<std::unique_ptr<Patch>> open_splice(const Header& header, std::string_view old, std::string_view body) {
  if (body.empty()) return fail(Code::untrusted, "damaged delta: it ends too early");
  const auto coding = static_cast<Coding>(body[0]);
  body.remove_prefix(1);
  switch (coding) {
    case Coding::mixed:
    case Coding::raw: return std::make_unique<SplicePatch<SpliceModel<BitDecoder>>>(header, old, body, coding);
    case Coding::words: return std::make_unique<SplicePatch<WordModel<BitDecoder>>>(header, old, body);
  }
  return fail(Code::unsupported, "a delta with a coding that is not known to this version");
}

}  // namespace picket::delta
