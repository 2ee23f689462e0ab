#include "storage/line_file.hpp"

#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket::storage {
namespace {

std::vector<std::string_view> whole_lines(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == text.npos) break;  // a torn last line
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

Result<> LineFile::add(std::string_view line, const std::function<void()>& before_write) {
  auto text = read_file(file_, 2 * limits_.bytes);
  if (!text && text.error().code != Code::not_found && text.error().code != Code::too_large) return fail(std::move(text).error());
  const auto lines = text ? whole_lines(*text) : std::vector<std::string_view>();
  if (before_write) before_write();
  const auto with_end = cat(line, "\n");
  const bool torn = text && !text->empty() && text->back() != '\n';
  if (text && !torn && lines.size() < 2 * limits_.lines && text->size() + with_end.size() <= limits_.bytes) {
    const UniqueFd fd(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return fail_errno(cat("open ", file_.native()));
    PICKET_TRY(write_all(fd.get(), with_end));
    if (::fdatasync(fd.get()) != 0) return fail_errno(cat("fsync ", file_.native()));
    return {};
  }
  // First line, torn tail, or too long: written anew with as many of the newest as fit into half of the room.
  std::size_t first = lines.size(), bytes = with_end.size();
  while (first > 0 && lines.size() - first + 1 < limits_.lines && bytes + lines[first - 1].size() + 1 <= limits_.bytes / 2) bytes += lines[--first].size() + 1;
  std::string fresh;
  for (; first < lines.size(); ++first) fresh.append(lines[first]).push_back('\n');
  fresh.append(with_end);
  return write_file_atomic(file_, fresh, 0640);
}

Result<> LineFile::read(const std::function<bool(std::string_view line)>& take) const {
  auto text = read_file(file_, 2 * limits_.bytes);
  if (!text && text.error().code == Code::not_found) return {};
  if (!text) return fail(std::move(text).error());
  const auto lines = whole_lines(*text);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (!take(*line)) break;
  return {};
}

}  // namespace picket::storage
