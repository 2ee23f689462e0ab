#include "catalogue.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "http_request.hpp"

namespace distribution_point {
namespace {

namespace fs = std::filesystem;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

constexpr std::size_t kMostEntries = 1'000'000;
constexpr std::uint64_t kMostMetadata = 64u << 20;
constexpr std::uint64_t kMostPacked = 1u << 20;   // it is kept in memory

bool all_of_are(std::string_view text, bool (*test)(char)) { return !text.empty() && std::ranges::all_of(text, test); }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Empty: it does not become smaller by a tenth.
std::string gzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int window_with_gzip_header = 15 + 16;
  if (bytes.size() < 200 || bytes.size() > kMostPacked || ::deflateInit2(&stream, 6, Z_DEFLATED, window_with_gzip_header, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string in(bytes), out(bytes.size() * 9 / 10, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool fits = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(fits ? out.size() - stream.avail_out : 0);
  ::deflateEnd(&stream);
  return out;
}

Result<Entry> describe(const fs::path& file, std::string_view name, bool metadata) {
  struct stat info{};
  if (::lstat(file.c_str(), &info) != 0) return picket::fail_errno(cat("look at ", file.native()));
  Entry entry;
  entry.file = file;
  entry.size = static_cast<std::uint64_t>(info.st_size);
  entry.modified = info.st_mtim.tv_sec;
  // With consistent snapshots the name says the version (metadata) or the content (targets).
  const auto prefix = name.substr(0, name.find('.'));
  if (metadata) {
    entry.changes = !all_of_are(prefix, is_digit);
    PICKET_LET(bytes, picket::read_file(file, kMostMetadata));
    const auto digest = picket::sha256_hex(bytes).substr(0, 32);
    entry.etag = cat("\"", digest, "\"");
    entry.packed_etag = cat("\"", digest, "-gzip\"");  // other bytes, so another strong tag (RFC 9110 8.8.3)
    entry.packed = gzip(bytes);
  } else if (prefix.size() >= 64 && all_of_are(prefix, is_hex)) {
    entry.etag = cat("\"", prefix.substr(0, 32), "\"");
  } else {
    entry.changes = true;
    entry.etag = cat("\"", std::to_string(entry.size), "-", std::to_string(info.st_mtim.tv_sec), "-", std::to_string(info.st_mtim.tv_nsec), "\"");
  }
  entry.validators = cat("Last-Modified: ", http_date(entry.modified), "\r\nETag: ", entry.etag, "\r\n");
  if (entry.packed.empty()) return entry;
  entry.packed_validators = cat("Last-Modified: ", http_date(entry.modified), "\r\nETag: ", entry.packed_etag, "\r\nVary: Accept-Encoding\r\n");
  entry.validators += "Vary: Accept-Encoding\r\n";
  return entry;
}

}  // namespace

Result<Catalogue> Catalogue::load(const fs::path& set) {
  Catalogue out;
  std::error_code error;
  const auto real = fs::canonical(set, error);  // the published name is a link that moves
  if (error) return fail(error == std::errc::no_such_file_or_directory ? Code::not_found : Code::io, cat(set.native(), ": ", error.message()));
  for (const char* part : {"metadata", "targets"}) {
    const auto base = real / part;
    if (!fs::exists(base, error)) continue;
    fs::recursive_directory_iterator it(base, error), end;
    for (; !error && it != end; it.increment(error)) {
      const auto status = it->symlink_status(error);
      if (error) break;
      if (!fs::is_regular_file(status)) continue;  // no link is followed
      if (out.entries_.size() >= kMostEntries) return fail(Code::too_large, cat(real.native(), " holds more than ", std::to_string(kMostEntries), " files"));
      PICKET_LET(entry, describe(it->path(), it->path().filename().native(), part[0] == 'm'));
      out.entries_.emplace(cat("/", it->path().lexically_relative(real).native()), std::move(entry));
    }
    if (error) return fail(Code::io, cat(base.native(), ": ", error.message()));
  }
  return out;
}

void Catalogue::add_missing(const Catalogue& other) {
  for (const auto& [name, entry] : other.entries_)
    if (!entry.changes) entries_.emplace(name, entry);
}

void Catalogue::take_newest(const Catalogue& other) {
  const auto tells_what_is_newest = [](std::string_view name, const Entry& entry) { return entry.changes || (name.starts_with("/metadata/") && name.ends_with(".root.json")); };
  std::erase_if(entries_, [&](const auto& one) { return tells_what_is_newest(one.first, one.second); });
  for (const auto& [name, entry] : other.entries_)
    if (tells_what_is_newest(name, entry)) entries_.emplace(name, entry);
}

}  // namespace distribution_point
