#include "ask.hpp"

#include "base/bytes.hpp"
#include "ksn/limits.hpp"

namespace ksn_proxy {
namespace {

using picket::Code;
using picket::Result;
using picket::fail;
namespace ksn = picket::ksn;

constexpr unsigned kMostVarint = 10, kMostShort = 5;  // bytes of a number, and of a tag or a size: protobuf reads no longer ones

// Fields of a message, one after the other.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  // False: the end, or what stands there is no protobuf (is_bad).
  bool next() {
    if (rest_.empty() || bad_) return false;
    std::uint64_t tag = 0;
    if (!varint(tag, kMostShort) || tag >> 3 == 0 || tag > 0xffffffff) return wrong();
    number_ = static_cast<std::uint32_t>(tag >> 3);
    type_ = static_cast<unsigned>(tag & 7);
    switch (type_) {
      case 0: return varint(value_, kMostVarint) || wrong();
      case 1: return skip(8);
      case 5: return skip(4);
      case 2: {
        std::uint64_t size = 0;
        if (!varint(size, kMostShort) || size > rest_.size()) return wrong();
        bytes_ = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(static_cast<std::size_t>(size));
        return true;
      }
      default: return wrong();  // groups: nobody sends them
    }
  }
  [[nodiscard]] bool is_bad() const { return bad_; }
  [[nodiscard]] bool is_bytes(std::uint32_t number) const { return number_ == number && type_ == 2; }
  [[nodiscard]] bool is_number(std::uint32_t number) const { return number_ == number && type_ == 0; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  bool wrong() {
    bad_ = true;
    return false;
  }
  bool skip(std::size_t size) {
    if (rest_.size() < size) return wrong();
    rest_.remove_prefix(size);
    return true;
  }
  bool varint(std::uint64_t& out, unsigned most_bytes) {
    out = 0;
    for (unsigned shift = 0; shift < 7 * most_bytes && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift < 64) out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  std::string_view rest_, bytes_;
  std::uint32_t number_ = 0;
  unsigned type_ = 0;
  std::uint64_t value_ = 0;
  bool bad_ = false;
};

Result<> parse_asker(std::string_view bytes, Ask& out) {
  Fields fields(bytes);
  while (fields.next()) {
    if (fields.is_number(5)) out.extended = fields.value() != 0;
    // Product and version are read only to refuse what protobuf refuses: nobody behind may see it otherwise.
    if (!fields.is_bytes(1) && !fields.is_bytes(3) && !fields.is_bytes(4)) continue;
    if (fields.bytes().size() > ksn::kMostTextBytes) return fail(Code::too_large, "a text of the asker is longer than 256 bytes");
    if (!picket::is_valid_utf8(fields.bytes())) return fail(Code::invalid, "a text of the asker is no text");
    if (fields.is_bytes(1)) out.licence = fields.bytes();
  }
  if (fields.is_bad()) return fail(Code::invalid, "the asker is malformed");
  return {};
}

Result<> parse_questions(std::string_view bytes, Ask& out) {
  std::uint64_t kind = 0, length = 0;
  std::string_view digests;
  Fields fields(bytes);
  while (fields.next()) {
    if (fields.is_number(1)) kind = fields.value();
    else if (fields.is_number(2)) length = fields.value();
    else if (fields.is_bytes(3)) digests = fields.bytes();
  }
  if (fields.is_bad()) return fail(Code::invalid, "the questions are malformed");
  if (kind < 1 || kind > 3) return fail(Code::invalid, "questions of an unknown kind");
  if (length < ksn::kLeastPrefixBytes || length > ksn::kDigestBytes) return fail(Code::invalid, "a digest or prefix has 4 to 32 bytes");
  if (digests.size() % length != 0) return fail(Code::invalid, "the digests are not of the length that is said");
  if (out.keys.size() + digests.size() / length > ksn::kMostQuestions) return fail(Code::too_large, "more than 1000 questions in one request");
  for (; !digests.empty(); digests.remove_prefix(static_cast<std::size_t>(length)))
    out.keys.emplace_back(static_cast<std::uint8_t>(kind), digests.substr(0, static_cast<std::size_t>(length)));
  return {};
}

}  // namespace

Result<> parse_ask(std::string_view body, Ask& out) {
  out.licence = {};
  out.extended = false;
  out.keys.clear();
  Fields fields(body);
  while (fields.next()) {
    if (fields.is_bytes(1)) PICKET_TRY(parse_asker(fields.bytes(), out));
    else if (fields.is_bytes(2)) PICKET_TRY(parse_questions(fields.bytes(), out));
  }
  if (fields.is_bad()) return fail(Code::invalid, "this is no AskRequest");
  return {};
}

}  // namespace ksn_proxy
