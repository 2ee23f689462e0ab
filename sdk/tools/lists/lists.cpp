#include "lists/lists.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <cerrno>
#include <functional>

#include "base/files.hpp"
#include "lists/lines.hpp"

namespace picket::lists {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;
constexpr std::size_t kMostJson = 64u << 20;

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

// Such files are sorted sets. Without that rule every download that is something else would be one, where 32 divides its size.
Result<> read_raw(int fd, std::uint64_t size, Taker& taker) {
  constexpr std::size_t kDigest = 32;
  if (size % kDigest != 0) return fail(Code::invalid, "is no list of 32-byte digests: its size is no multiple of 32");
  std::string rest, last;
  Row row;
  return read_pieces(fd, [&](std::string_view piece) -> Result<> {
    rest.append(piece);
    std::size_t at = 0;
    for (; rest.size() - at >= kDigest; at += kDigest) {
      ++row.number;
      row.digest = std::string_view(rest).substr(at, kDigest);
      if (row.number > 1 && row.digest <= last) return fail(Code::invalid, cat("is no sorted set of 32-byte digests: digest ", std::to_string(row.number), " is not above the one before it"));
      last = row.digest;
      PICKET_TRY(taker.take(row));
    }
    rest.erase(0, at);
    return {};
  });
}

// A MISP warninglist: {"name": ..., "type": ..., "list": [...]}; an array alone will do. Its elements are texts, or objects with "sha256".
Result<> read_json(std::string_view text, Taker& taker) {
  if (text.size() > kMostJson) return fail(Code::too_large, "is JSON of more than 64 MiB");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  boost::system::error_code error;
  const auto document = json::parse(text, error);
  if (error) return fail(Code::invalid, cat("is no JSON: ", error.message()));
  const auto member = [](const json::value& of, std::string_view name) -> std::string_view {
    const auto* object = of.if_object();
    const auto* value = object != nullptr ? object->if_contains(name) : nullptr;
    return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
  };
  const auto* list = &document;
  if (const auto* object = document.if_object()) list = object->if_contains("list");
  if (list == nullptr || !list->is_array()) return fail(Code::invalid, "is JSON without a \"list\"");
  Row row;
  row.is_entry = true;
  row.list_name = member(document, "name");
  row.list_type = member(document, "type");
  for (const auto& element : list->get_array()) {
    ++row.number;
    row.text = element.is_string() ? std::string_view(element.get_string()) : member(element, "sha256");
    row[Field::object] = row.text;
    PICKET_TRY(element.is_string() || !row.text.empty() ? taker.take(row) : taker.wrong(row, "is no string"));
  }
  return {};
}

// "[" may also begin an IPv6 address.
bool looks_like_json(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  head = trimmed(head);
  if (head.starts_with('{')) return true;
  if (!head.starts_with('[')) return false;
  head = trimmed(head.substr(1));
  return head.empty() || head.front() == '"' || head.front() == '{' || head.front() == ']';
}

bool is_json(std::string_view head, Format format) { return format == Format::misp || (format == Format::automatic && looks_like_json(head)); }

}  // namespace

Result<> read(std::string_view text, Format format, Taker& taker) {
  if (is_json(text.substr(0, 64), format)) return read_json(text, taker);
  Lines lines(format, taker);
  PICKET_TRY(lines.read(text));
  return lines.end();
}

Result<> read_file(const std::filesystem::path& path, Format format, Taker& taker) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (!fd || ::fstat(fd.get(), &about) != 0) return fail_errno(path.native());
  if (!S_ISREG(about.st_mode)) return fail(Code::invalid, cat(path.native(), ": not a regular file"));
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > kMostBytes) return fail(Code::too_large, cat(path.native(), ": is larger than 4 GiB"));
  char first[64] = {};
  const auto got = ::pread(fd.get(), first, sizeof first, 0);
  Result<> done;
  if (path.extension() == ".bin" && format == Format::automatic) {
    done = read_raw(fd.get(), size, taker);
  } else if (is_json({first, got > 0 ? static_cast<std::size_t>(got) : 0}, format)) {
    auto text = read_all(fd.get(), kMostJson);
    done = text ? read_json(*text, taker) : Result<>(fail(std::move(text).error()));
  } else {
    Lines lines(format, taker);
    done = read_pieces(fd.get(), [&](std::string_view piece) { return lines.read(piece); });
    if (done) done = lines.end();
  }
  if (!done) return fail(std::move(done).error(), path.native());
  return {};
}

}  // namespace picket::lists
