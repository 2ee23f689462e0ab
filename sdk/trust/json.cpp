#include "trust/json.hpp"

#include <endian.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

#include "base/bytes.hpp"

namespace picket::trust {

namespace {

constexpr unsigned max_depth = 32;

// Where from `at` the first quote, backslash or, with `controls`, byte below 0x20 is; else `end`. Eight bytes at a time: a subtraction marks the top
// bit of what is looked for, and borrows only from bytes behind the first of it, so that the lowest mark is right.
inline const char* find_special(const char* at, const char* end, bool controls) {
  constexpr std::uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
  for (; end - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    word = le64toh(word);
    const auto below = [](std::uint64_t bytes, unsigned char limit) { return (bytes - ones * limit) & ~bytes & tops; };
    if (const auto marks = below(word ^ (ones * '"'), 1) | below(word ^ (ones * '\\'), 1) | (controls ? below(word, 0x20) : 0); marks != 0)
      return at + std::countr_zero(marks) / 8;
  }
  while (at != end && *at != '"' && *at != '\\' && (!controls || static_cast<unsigned char>(*at) >= 0x20)) ++at;
  return at;
}

// Recursive descent, straight into the tree; the depth limit bounds the recursion. UTF-8 was checked for the whole text before.
class StrictParser {
 public:
  StrictParser(std::string_view text, Numbers numbers)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), numbers_(numbers) {}

  [[nodiscard]] bool document(json::value& out) {
    skip_blanks();
    if (!value(out, 0)) return false;
    skip_blanks();
    return at_ == end_ || error("trailing data after the value");
  }

  [[nodiscard]] Error failure() const {
    const std::string_view before(begin_, static_cast<std::size_t>(at_ - begin_));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto line_start = before.rfind('\n');
    const auto column = before.size() - (line_start == before.npos ? 0 : line_start + 1) + 1;
    return Error{Code::invalid, cat("not acceptable JSON at line ", std::to_string(line), ", column ", std::to_string(column), ": ", why_)};
  }

 private:
  [[nodiscard]] bool error(std::string_view why) {
    why_ = why;
    return false;
  }

  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  [[nodiscard]] bool value(json::value& out, unsigned depth) {
    if (at_ == end_) return error("ends too early");
    switch (*at_) {
      case '{': return object(out.emplace_object(), depth + 1);
      case '[': return array(out.emplace_array(), depth + 1);
      case '"': {
        std::string_view text;
        std::string unescaped;
        if (!string(text, unescaped)) return false;
        out.emplace_string().assign(text);
        return true;
      }
      case 't': return word("true") && (out = true, true);
      case 'f': return word("false") && (out = false, true);
      case 'n': return word("null") && (out = nullptr, true);
      default: return integer(out);
    }
  }

  [[nodiscard]] bool word(std::string_view expected) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, expected.size()) != expected) return error("unknown word");
    at_ += expected.size();
    return true;
  }

  [[nodiscard]] bool integer(json::value& out) {
    const char* digits = at_ + (*at_ == '-' ? 1 : 0);
    if (digits == end_ || *digits < '0' || *digits > '9') return error("a value was expected");
    if (*digits == '0' && digits + 1 != end_ && digits[1] >= '0' && digits[1] <= '9') return error("a number with a leading zero");
    if (numbers_ == Numbers::any && has_fraction(digits)) return fraction(out);
    std::int64_t number = 0;
    const auto [stop, why] = std::from_chars(at_, end_, number);
    if (why != std::errc{}) return error("an integer outside of 64 bits");
    if (stop != end_ && (*stop == '.' || *stop == 'e' || *stop == 'E')) return error("a number that is not an integer");
    at_ = stop;
    out.emplace_int64() = number;
    return true;
  }

  [[nodiscard]] bool has_fraction(const char* digits) const {
    while (digits != end_ && *digits >= '0' && *digits <= '9') ++digits;
    return digits != end_ && (*digits == '.' || *digits == 'e' || *digits == 'E');
  }

  [[nodiscard]] bool fraction(json::value& out) {
    double number = 0;
    const auto [stop, why] = std::from_chars(at_, end_, number);
    if (why != std::errc{}) return error("a number outside of the range of a double");
    // from_chars takes "1." and "1.e5", which JSON does not have.
    for (const char* point = at_; point != stop; ++point) {
      if (*point == '.' && (point + 1 == stop || point[1] < '0' || point[1] > '9')) return error("a digit was expected after the point");
    }
    at_ = stop;
    out.emplace_double() = number;
    return true;
  }

  [[nodiscard]] bool array(json::array& out, unsigned depth) {
    if (depth > max_depth) return error("nested deeper than 32");
    ++at_;
    skip_blanks();
    if (at_ != end_ && *at_ == ']') return ++at_, true;
    for (;;) {
      skip_blanks();
      if (!value(out.emplace_back(nullptr), depth)) return false;
      bool more = false;
      if (!separator(']', more)) return false;
      if (!more) return true;
    }
  }

  // Members wait on a stack until their number is known: a table that is made once is twice as fast as one that grows.
  [[nodiscard]] bool object(json::object& out, unsigned depth) {
    if (depth > max_depth) return error("nested deeper than 32");
    ++at_;
    skip_blanks();
    if (at_ != end_ && *at_ == '}') return ++at_, true;
    const auto first = members_.size();
    for (bool more = true; more;) {
      skip_blanks();
      if (at_ == end_ || *at_ != '"') return error("a member name was expected");
      const char* start = at_;
      std::string_view name;
      std::string unescaped;
      if (!string(name, unescaped)) return false;
      if (name.data() == unescaped.data()) name = names_.emplace_back(std::move(unescaped));
      skip_blanks();
      if (at_ == end_ || *at_ != ':') return error("':' was expected");
      ++at_;
      skip_blanks();
      json::value member(nullptr, out.storage());
      if (!value(member, depth)) return false;
      members_.push_back({start, name, std::move(member)});
      if (!separator('}', more)) return false;
    }
    out.reserve(members_.size() - first);
    for (auto at = first; at != members_.size(); ++at) {
      auto& member = members_[at];
      // The hash table that is filled anyway finds duplicates: no second structure, no quadratic search.
      if (!out.emplace(member.name, std::move(member.value)).second) return at_ = member.start, error("a member appears twice");
    }
    members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(first), members_.end());
    return true;
  }

  // After an element: a comma (more) or the closing bracket.
  [[nodiscard]] bool separator(char closing, bool& more) {
    skip_blanks();
    if (at_ != end_ && (*at_ == ',' || *at_ == closing)) {
      more = *at_++ == ',';
      return true;
    }
    return error(at_ == end_ ? "ends too early" : "',' or the closing bracket was expected");
  }

  // `out` views the text itself when nothing is escaped, else `buffer`.
  [[nodiscard]] bool string(std::string_view& out, std::string& buffer) {
    const char* run = ++at_;
    bool escaped = false;
    for (;;) {
      at_ = find_special(at_, end_, true);
      if (at_ == end_) return error("a string does not end");
      if (*at_ == '"') break;
      if (*at_ != '\\') return error("a control character in a string");
      buffer.append(run, at_);
      if (!escape(buffer)) return false;
      escaped = true;
      run = at_;
    }
    if (escaped) {
      buffer.append(run, at_);
      out = buffer;
    } else {
      out = {run, static_cast<std::size_t>(at_ - run)};
    }
    ++at_;
    return true;
  }

  [[nodiscard]] bool escape(std::string& buffer) {
    if (end_ - at_ < 2) return error("a string does not end");
    switch (at_[1]) {
      case '"': case '\\': case '/': buffer += at_[1]; break;
      case 'b': buffer += '\b'; break;
      case 'f': buffer += '\f'; break;
      case 'n': buffer += '\n'; break;
      case 'r': buffer += '\r'; break;
      case 't': buffer += '\t'; break;
      case 'u': return unicode_escape(buffer);
      default: return error("an unknown escape");
    }
    at_ += 2;
    return true;
  }

  [[nodiscard]] bool hex4(const char* from, unsigned& out) const {
    if (end_ - from < 6 || from[0] != '\\' || from[1] != 'u') return false;
    const auto [stop, why] = std::from_chars(from + 2, from + 6, out, 16);
    return why == std::errc{} && stop == from + 6;
  }

  [[nodiscard]] bool unicode_escape(std::string& buffer) {
    unsigned code = 0;
    if (!hex4(at_, code)) return error("\\u without four hex digits");
    if (code >= 0xdc00 && code <= 0xdfff) return error("a lone surrogate");
    if (code >= 0xd800 && code <= 0xdbff) {
      unsigned low = 0;
      if (!hex4(at_ + 6, low) || low < 0xdc00 || low > 0xdfff) return error("a lone surrogate");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at_ += 6;
    }
    at_ += 6;
    append_utf8(buffer, code);
    return true;
  }

  static void append_utf8(std::string& out, unsigned code) {
    const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6);
      put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12);
      put(0x80 | (code >> 6 & 0x3f));
      put(0x80 | (code & 0x3f));
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
      put(0x80 | (code >> 6 & 0x3f));
      put(0x80 | (code & 0x3f));
    }
  }

  struct Member {
    const char* start;
    std::string_view name;
    json::value value;
  };

  std::vector<Member> members_;     // of the objects that are open
  std::deque<std::string> names_;   // that were escaped
  const char* begin_;
  const char* at_;
  const char* end_;
  Numbers numbers_;
  std::string_view why_;
};

void write_string(std::string& out, std::string_view text) {
  out += '"';
  const char* const end = text.data() + text.size();
  for (const char* done = text.data();; ++done) {
    const char* const stop = find_special(done, end, false);
    out.append(done, static_cast<std::size_t>(stop - done));
    if (stop == end) break;
    out += '\\';
    out += *stop;
    done = stop;
  }
  out += '"';
}

void write_integer(std::string& out, auto number) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

class CanonicalWriter {
 public:
  explicit CanonicalWriter(std::size_t about) { out_.reserve(about); }
  [[nodiscard]] std::string write(const json::value& value) && {
    put(value);
    return std::move(out_);
  }

 private:
  void put(const json::value& value) {
    switch (value.kind()) {
      case json::kind::null: out_ += "null"; return;
      case json::kind::bool_: out_ += value.get_bool() ? "true" : "false"; return;
      case json::kind::int64: write_integer(out_, value.get_int64()); return;
      case json::kind::uint64: write_integer(out_, value.get_uint64()); return;
      case json::kind::string: write_string(out_, value.get_string()); return;
      case json::kind::object: put_object(value.get_object()); return;
      case json::kind::array: put_array(value.get_array()); return;
      case json::kind::double_: std::abort();  // the contract: canonical JSON has no fractions
    }
  }

  void put_array(const json::array& array) {
    char before = '[';
    for (const auto& element : array) {
      out_ += before;
      before = ',';
      put(element);
    }
    out_ += before == '[' ? "[]" : "]";
  }

  void put_object(const json::object& object) {
    const auto first = members_.size();
    for (const auto& member : object) members_.push_back(&member);
    const auto by_name = [](const auto* a, const auto* b) { return std::string_view(a->key()) < std::string_view(b->key()); };
    const auto from = members_.begin() + static_cast<std::ptrdiff_t>(first);
    // What a publisher writes is often sorted already.
    if (!std::is_sorted(from, members_.end(), by_name)) std::sort(from, members_.end(), by_name);
    char before = '{';
    for (auto at = first; at != first + object.size(); ++at) {
      out_ += before;
      before = ',';
      write_string(out_, members_[at]->key());
      out_ += ':';
      put(members_[at]->value());
    }
    out_ += object.empty() ? "{}" : "}";
    members_.resize(first);
  }

  std::string out_;
  std::vector<const json::key_value_pair*> members_;  // of the objects that are open: one buffer for all
};

}  // namespace

Result<json::value> parse_strict(std::string_view text, json::storage_ptr storage, Numbers numbers) {
  if (!is_valid_utf8(text)) return fail(Code::invalid, "not acceptable JSON: invalid UTF-8");
  json::value root(nullptr, std::move(storage));
  StrictParser parser(text, numbers);
  if (!parser.document(root)) return fail(parser.failure());
  return root;
}

std::string canonical(const json::value& value, std::size_t about) { return CanonicalWriter(about).write(value); }

}  // namespace picket::trust
