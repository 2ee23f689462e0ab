#include "repo/packed.hpp"

#include <limits>

#include <zlib.h>

namespace picket::repo {
namespace {

constexpr int kGzip = 15 + 16;  // the largest window, with gzip's header and checksum

bool fits(std::string_view bytes) { return bytes.size() <= std::numeric_limits<uInt>::max() / 2; }

void set_in_and_out(z_stream& stream, std::string_view in, std::string& out) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
}

}  // namespace

bool lies_packed(std::string_view file_name) {
  return !file_name.empty() && file_name.front() >= '0' && file_name.front() <= '9' && file_name.ends_with(".json") && !file_name.ends_with(".root.json");
}

Result<std::string> pack(std::string_view bytes) {
  z_stream stream{};
  if (!fits(bytes) || ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Code::internal, "zlib cannot pack this");
  std::string out(::deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  set_in_and_out(stream, bytes, out);
  const int status = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (status != Z_STREAM_END) return fail(Code::internal, "zlib cannot pack this");
  return out;
}

bool unpacks_to(std::string_view packed, std::string_view bytes) {
  z_stream stream{};
  if (!fits(packed) || !fits(bytes) || ::inflateInit2(&stream, kGzip) != Z_OK) return false;
  std::string out(bytes.size() + 1, '\0');  // room for one too many, which shows
  set_in_and_out(stream, packed, out);
  const bool is_whole = ::inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
  out.resize(stream.total_out);
  ::inflateEnd(&stream);
  return is_whole && out == bytes;
}

}  // namespace picket::repo
