// Deltas: from the bytes of an old content and a delta, which is small, the bytes of the new one.
//
// The format. Byte 0: 'D'. Byte 1: the method (its version too: a changed coding gets a new number). Then two LEB128 numbers, the length
// of the new content and that of the old one. The rest is the method's own:
//   1  zstd    one byte, the window's logarithm; then one zstd frame without magic number, made with the old content as prefix
//   2  splice  one byte, the coding (splice_model.hpp); then one range-coded stream of: copy from the old content, words with a number added to
//              them, literals, jumps in the old content
// A delta carries no digest: whoever applies one knows from signed metadata what has to come out, and checks that as it checks a download.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::delta {

enum class Method : std::uint8_t { zstd = 1, splice = 2 };

[[nodiscard]] std::string_view to_string(Method method);
[[nodiscard]] Result<Method> method_of(std::string_view name);  // Code::unsupported

struct Header {
  Method method = Method::zstd;
  std::uint64_t new_length = 0, old_length = 0;
};

// What an untrusted delta may demand.
struct Limits {
  std::uint64_t new_length = 0;               // at most so many bytes come out
  std::uint64_t memory = 64ull << 20;         // of the method's own, in bytes; the old content is not counted
};

// Gives the new content piece by piece. Whatever the delta says: nothing is read outside of `old` and `delta`, no more comes out than the header
// says, and that is at most what the limits allow. Both texts are borrowed and may be mappings of files. One thread at a time.
class Patch {
 public:
  // Code::unsupported: a method that is not known here; Code::too_large: it would pass a limit; Code::untrusted: damaged.
  [[nodiscard]] static Result<std::unique_ptr<Patch>> open(std::string_view old, std::string_view delta, const Limits& limits);
  virtual ~Patch() = default;

  // The next bytes, valid until the next call and at most 1 MiB; empty: the end, and all that the header said has come out.
  [[nodiscard]] virtual Result<std::string_view> next() = 0;
  [[nodiscard]] virtual const Header& header() const = 0;
};

using Sink = std::function<Result<>(std::string_view)>;
// All of it into a sink.
[[nodiscard]] Result<> apply(std::string_view old, std::string_view delta, const Limits& limits, const Sink& sink);

// The header, and where the method's part begins.
[[nodiscard]] Result<Header> read_header(std::string_view delta, std::size_t& at);
[[nodiscard]] std::string write_header(const Header& header);

}  // namespace picket::delta
