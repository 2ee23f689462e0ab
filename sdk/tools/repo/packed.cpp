#include "repo/packed.hpp"

#include <limits>

#include <zlib.h>

namespace picket::repo {

bool lies_packed(std::string_view file_name) {
  return !file_name.empty() && file_name.front() >= '0' && file_name.front() <= '9' && file_name.ends_with(".json") && !file_name.ends_with(".root.json");
}

Result<std::string> pack(std::string_view bytes) {
  constexpr int with_gzip_header = 15 + 16;
  z_stream stream{};
  if (bytes.size() > std::numeric_limits<uInt>::max() / 2 || ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, with_gzip_header, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Code::internal, "zlib cannot pack this");
  std::string out(::deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (status != Z_STREAM_END) return fail(Code::internal, "zlib cannot pack this");
  return out;
}

}  // namespace picket::repo
