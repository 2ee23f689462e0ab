#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "record_log.hpp"

namespace distribution_point {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using picket::fail_errno;

constexpr std::size_t kCheck = 16;   // hex digits of the record's SHA-256, and a space behind them

// An empty line comes first: a line's end that was damaged must not take the next line with it.
std::string line_of(std::string_view record) { return cat("\n", picket::sha256_hex(record).substr(0, kCheck), " ", record, "\n"); }

bool is_whole(std::string_view line) {
  return line.size() > kCheck && line[kCheck] == ' ' && picket::sha256_hex(line.substr(kCheck + 1)).compare(0, kCheck, line.substr(0, kCheck)) == 0;
}

}  // namespace

Result<RecordLog::Replayed> RecordLog::read(const std::function<void(std::string_view)>& on_record) const {
  PICKET_LET(text, picket::read_file(file_, kMostBytes));
  Replayed out;
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty()) continue;
    if (!is_whole(line)) {
      ++out.damaged;
      continue;
    }
    ++out.records;
    on_record(line.substr(kCheck + 1));
  }
  return out;
}

Result<> RecordLog::open() {
  picket::UniqueFd fd(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail_errno(cat("open ", file_.native()));
  PICKET_TRY(picket::sync_folder(file_.parent_path()));  // where it is new: its name must outlive a power cut, too
  size_ = static_cast<std::uint64_t>(info.st_size);
  const std::lock_guard lock(mutex_);
  fd_ = std::make_shared<picket::UniqueFd>(std::move(fd));
  return {};
}

Result<std::uint64_t> RecordLog::append(std::string_view record) {
  if (!fd_) PICKET_TRY(open());
  const auto line = line_of(record);
  if (size_ + line.size() > most_bytes_) return fail(Code::too_large, cat(file_.native(), " is full"));
  if (::lseek(fd_->get(), static_cast<off_t>(size_), SEEK_SET) < 0) return fail_errno(cat("write ", file_.native()));
  if (auto written = picket::write_all(fd_->get(), line); !written) {
    // Half of a line would be read as a damaged one; should it stay, the next one is written over it.
    (void)!::ftruncate(fd_->get(), static_cast<off_t>(size_));
    return fail(std::move(written).error(), cat("write ", file_.native()));
  }
  size_ += line.size();
  const std::lock_guard lock(mutex_);
  return ++written_;
}

Result<> RecordLog::sync(std::uint64_t number) {
  const std::lock_guard one(sync_mutex_);
  if (synced_ >= number) return {};
  std::shared_ptr<picket::UniqueFd> fd;
  std::uint64_t up_to = 0;
  {
    const std::lock_guard lock(mutex_);
    fd = fd_;
    up_to = written_;
  }
  if (fd && ::fdatasync(fd->get()) != 0) return fail_errno(cat("write ", file_.native()));
  synced_ = up_to;
  return {};
}

Result<> RecordLog::rewrite(const std::vector<std::string>& records) {
  std::string text;
  for (const auto& record : records) text += line_of(record);
  if (text.size() > most_bytes_) return fail(Code::too_large, cat(file_.native(), " is full"));
  PICKET_TRY(picket::write_file_atomic(file_, text, 0600));
  {
    const std::lock_guard lock(mutex_);
    fd_.reset();
  }
  return open();
}

}  // namespace distribution_point
