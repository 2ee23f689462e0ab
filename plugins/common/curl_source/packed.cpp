#include "curl_source/packed.hpp"

#include <algorithm>
#include <array>

#include <zlib.h>

namespace curl_source {
namespace {

constexpr std::chrono::hours kNotAgainFor(24);
constexpr std::size_t kMostPlaces = 256;
constexpr int kGzipOnly = 15 + 16;  // the largest window, with gzip's header and checksum

struct Inflate {
  z_stream stream{};
  bool good = ::inflateInit2(&stream, kGzipOnly) == Z_OK;
  Inflate() = default;
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
  ~Inflate() {
    if (good) ::inflateEnd(&stream);
  }
};

}  // namespace

bool may_lie_packed(std::string_view path) {
  constexpr std::string_view folder = "metadata/";
  if (!path.starts_with(folder)) return false;
  const auto name = path.substr(folder.size());
  return !name.empty() && name.front() >= '0' && name.front() <= '9' && name.ends_with(".json") && !name.ends_with(".root.json");
}

std::optional<std::string> unpack_gzip(std::string_view gzip, std::size_t most) {
  Inflate inflate;
  if (!inflate.good) return std::nullopt;
  auto& stream = inflate.stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(gzip.size());
  std::string out;
  std::array<char, 65536> piece;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    const int status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), std::min(piece.size() - stream.avail_out, most - out.size()));
    if (status == Z_STREAM_END || out.size() == most) return out;
    if (status != Z_OK) return std::nullopt;  // also when it ends too early
  }
}

bool PlainPlaces::is_known(const std::string& base) const {
  const std::lock_guard lock(mutex_);
  const auto found = until_.find(base);
  return found != until_.end() && found->second >= std::chrono::steady_clock::now();
}

void PlainPlaces::add(const std::string& base) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(until_, [&](const auto& entry) { return entry.second < now; });
  if (until_.size() < kMostPlaces) until_[base] = now + kNotAgainFor;
}

}  // namespace curl_source
