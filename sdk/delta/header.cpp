#include "delta/delta.hpp"
#include "delta/methods.hpp"

namespace picket::delta {

namespace {

constexpr char magic = 'D';

void put_number(std::string& out, std::uint64_t number) {
  for (; number > 127; number >>= 7) out += static_cast<char>(number | 128);
  out += static_cast<char>(number);
}

bool take_number(std::string_view bytes, std::size_t& at, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    if (at == bytes.size()) return false;
    const auto byte = static_cast<std::uint8_t>(bytes[at++]);
    out |= std::uint64_t{byte & 127u} << shift;
    if (byte < 128) return true;
  }
  return false;
}

}  // namespace

std::string_view to_string(Method method) { return method == Method::zstd ? "zstd" : "splice"; }

Result<Method> method_of(std::string_view name) {
  for (const auto method : {Method::zstd, Method::splice})
    if (to_string(method) == name) return method;
  return fail(Code::unsupported, cat("delta method \"", name, "\" is not known to this version"));
}

std::string write_header(const Header& header) {
  std::string out{magic, static_cast<char>(header.method)};
  put_number(out, header.new_length);
  put_number(out, header.old_length);
  return out;
}

Result<Header> read_header(std::string_view delta, std::size_t& at) {
  if (delta.size() < 2 || delta[0] != magic) return fail(Code::untrusted, "is no delta");
  Header header;
  header.method = static_cast<Method>(delta[1]);
  if (header.method != Method::zstd && header.method != Method::splice)
    return fail(Code::unsupported, cat("delta method ", std::to_string(static_cast<std::uint8_t>(delta[1])), " is not known to this version"));
  at = 2;
  if (!take_number(delta, at, header.new_length) || !take_number(delta, at, header.old_length)) return fail(Code::untrusted, "damaged delta: its header is cut short");
  return header;
}

Result<std::unique_ptr<Patch>> Patch::open(std::string_view old, std::string_view delta, const Limits& limits) {
  std::size_t at = 0;
  PICKET_LET(header, read_header(delta, at));
  if (header.new_length > limits.new_length)
    return fail(Code::too_large, cat("the delta makes ", std::to_string(header.new_length), " bytes, at most ", std::to_string(limits.new_length), " are wanted"));
  if (header.old_length != old.size())
    return fail(Code::untrusted, cat("the delta is for a content of ", std::to_string(header.old_length), " bytes, here are ", std::to_string(old.size())));
  const auto body = delta.substr(at);
  if (header.method == Method::zstd) return open_zstd(header, old, body, limits.memory);
  if (splice_memory > limits.memory) return fail(Code::too_large, cat("the delta needs ", std::to_string(splice_memory), " bytes of memory, ", std::to_string(limits.memory), " are allowed"));
  return open_splice(header, old, body);
}

Result<> apply(std::string_view old, std::string_view delta, const Limits& limits, const Sink& sink) {
  PICKET_LET(patch, Patch::open(old, delta, limits));
  for (;;) {
    PICKET_LET(bytes, patch->next());
    if (bytes.empty()) return {};
    PICKET_TRY(sink(bytes));
  }
}

}  // namespace picket::delta
