#include "digests/lists.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <cerrno>
#include <functional>

#include "base/files.hpp"
#include "digests/line_lists.hpp"

namespace picket::digests {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30, kMostJson = 64u << 20;
constexpr std::size_t kMostLine = 64u << 10;

// Calls `part` for the file's bytes, piece by piece.
Result<> read_pieces(int fd, const std::function<Result<>(std::string_view)>& part) {
  std::string buffer(1u << 18, '\0');
  while (true) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) return {};
    PICKET_TRY(part({buffer.data(), static_cast<std::size_t>(got)}));
  }
}

Result<> read_raw(int fd, std::uint64_t size, Verdict verdict, Collection& into, ListReport& report) {
  if (size % 32 != 0) return fail(Code::invalid, "is no list of 32-byte digests: its size is no multiple of 32");
  std::string rest;
  return read_pieces(fd, [&](std::string_view piece) -> Result<> {
    rest.append(piece);
    std::size_t at = 0;
    for (; rest.size() - at >= 32; at += 32) {
      Sha256 digest{};
      std::copy_n(rest.data() + at, 32, reinterpret_cast<char*>(digest.data()));
      PICKET_TRY(into.add(digest, verdict, {}, {}));
      ++report.sha256;
    }
    rest.erase(0, at);
    return {};
  });
}

Result<> read_lines(int fd, Verdict verdict, Collection& into, ListReport& report) {
  LineReader reader(verdict, {}, into, report);
  std::string rest;
  std::uint64_t number = 0;
  const auto take = [&](std::string_view piece) -> Result<> {
    rest.append(piece);
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != rest.npos; end = rest.find('\n', begin)) {
      PICKET_TRY(reader.line(std::string_view(rest).substr(begin, end - begin), ++number));
      begin = end + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > kMostLine) return fail(Code::invalid, cat("line ", std::to_string(number + 1), " is longer than ", std::to_string(kMostLine), " bytes"));
    return {};
  };
  PICKET_TRY(read_pieces(fd, take));
  return reader.line(rest, number + 1);
}

// A MISP warninglist: {"name": ..., "list": [...]}; an array of digests, or of objects with "sha256", alone will do.
Result<> read_json(std::string_view text, Verdict verdict, Collection& into, ListReport& report) {
  boost::system::error_code error;
  const auto document = json::parse(text, error);
  if (error) return fail(Code::invalid, cat("is no JSON: ", error.message()));
  const json::value* list = &document;
  std::string category;
  if (const auto* object = document.if_object()) {
    list = object->if_contains("list");
    if (const auto* name = object->if_contains("name"); name != nullptr && name->is_string()) category = std::string(name->get_string());
  }
  if (list == nullptr || !list->is_array()) return fail(Code::invalid, "is JSON without a \"list\" of digests");
  std::uint64_t item = 0;
  for (const auto& element : list->get_array()) {
    ++item;
    const json::value* value = &element;
    if (const auto* object = element.if_object()) value = object->if_contains("sha256");
    const std::string_view digest_text = value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
    if (const auto digest = take_digest(digest_text, report)) PICKET_TRY(into.add(*digest, verdict, category, {}));
    else if (!is_digest(digest_text) && report.unreadable++ == 0) report.first_unreadable = cat("item ", std::to_string(item), ": is no digest");
  }
  return {};
}

}  // namespace

Result<ListReport> read_list(const std::filesystem::path& path, Verdict verdict, Collection& into) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (!fd || ::fstat(fd.get(), &about) != 0) return fail_errno(path.native());
  if (!S_ISREG(about.st_mode)) return fail(Code::invalid, cat(path.native(), ": not a regular file"));
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > kMostBytes) return fail(Code::too_large, cat(path.native(), ": is larger than 4 GiB"));
  ListReport report;
  char first[64] = {};
  const auto got = ::pread(fd.get(), first, sizeof first, 0);
  const std::string_view head(first, got > 0 ? static_cast<std::size_t>(got) : 0);
  const auto begin = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  Result<> done;
  if (path.extension() == ".bin") {
    done = read_raw(fd.get(), size, verdict, into, report);
  } else if (begin != head.npos && (head[begin] == '{' || head[begin] == '[')) {
    auto text = read_all(fd.get(), kMostJson);
    done = text ? read_json(*text, verdict, into, report) : Result<>(fail(std::move(text).error()));
  } else {
    done = read_lines(fd.get(), verdict, into, report);
  }
  if (!done) return fail(std::move(done).error(), path.native());
  if (report.sha256 == 0)
    return fail(Code::invalid, cat(path.native(), ": no SHA-256 in it", report.md5 + report.sha1 + report.other > 0 ? ", only other digests" : "",
                                   report.first_unreadable.empty() ? "" : "; ", report.first_unreadable));
  return report;
}

std::string to_text(const std::filesystem::path& path, const ListReport& report) {
  std::string unused;
  for (const auto& [count, name] : {std::pair(report.md5, " MD5"), std::pair(report.sha1, " SHA-1"), std::pair(report.other, " of other kinds")})
    if (count > 0) unused += cat(unused.empty() ? "; not used: " : ", ", std::to_string(count), name);
  return cat(path.filename().native(), ": ", std::to_string(report.sha256), " SHA-256", unused,
             report.unreadable == 0 ? std::string() : cat("; ", std::to_string(report.unreadable), " not understood, the first is ", report.first_unreadable));
}

}  // namespace picket::digests
