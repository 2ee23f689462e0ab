#include "scan.hpp"

#include <unistd.h>
#include <yara.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include "facts.hpp"
#include "text.hpp"
#include "walker.hpp"

namespace scanner {

namespace v1 = picket::scan::v1;
using Clock = std::chrono::steady_clock;

class SharedWalk {
 public:
  explicit SharedWalk(std::vector<std::string> paths) : walker_(std::move(paths)) {}
  [[nodiscard]] Entry next() {
    const std::lock_guard lock(mutex_);
    return walker_.next();
  }

 private:
  std::mutex mutex_;
  Walker walker_;
};

namespace {

constexpr int kMostPaths = 1000;
constexpr std::chrono::milliseconds kProgressEvery(200);

struct Match {
  std::string rule, description;
  std::vector<std::string> tags;
};
constexpr std::size_t kMostMatches = 1000;  // of one file

int on_match(YR_SCAN_CONTEXT*, int message, void* data, void* into) {
  if (message != CALLBACK_MSG_RULE_MATCHING) return CALLBACK_CONTINUE;
  try {
    auto& matches = *static_cast<std::vector<Match>*>(into);
    auto* const rule = static_cast<YR_RULE*>(data);
    if (matches.size() >= kMostMatches) return CALLBACK_ABORT;
    Match match;
    match.rule = printable(rule->identifier, 300);
    const char* tag = nullptr;
    yr_rule_tags_foreach(rule, tag) {
      if (match.tags.size() < 50) match.tags.push_back(printable(tag, 100));
    }
    YR_META* meta = nullptr;
    yr_rule_metas_foreach(rule, meta) {
      if (meta->type == META_TYPE_STRING && std::string_view(meta->identifier) == "description") match.description = printable(meta->string, 500);
    }
    matches.push_back(std::move(match));
    return CALLBACK_CONTINUE;
  } catch (...) {
    return CALLBACK_ERROR;
  }
}

// Memory of our own, never a mapping: a file that shrinks while it is scanned would be a SIGBUS.
Outcome<> read_whole(int fd, std::uint64_t most, std::vector<char>& into, std::size_t& size, const std::atomic<bool>& over) {
  size = 0;
  while (!over) {
    if (size == into.size()) into.resize(std::min<std::size_t>(std::max<std::size_t>(into.size() * 2, 65536), most + 1));
    const ssize_t got = ::read(fd, into.data() + size, into.size() - size);
    if (got == 0) return {};
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(PICKET_E_IO, std::generic_category().message(errno));
    size += static_cast<std::size_t>(got);
    if (size > most) return failed(PICKET_E_TOO_LARGE, "larger than " + std::to_string(most) + " bytes");
  }
  return failed(PICKET_E_CANCELLED, "cancelled");
}

// Touches the disk, so not on the plugin thread.
Outcome<> check(const v1::ScanRequest& request) {
  if (request.paths_size() == 0) return failed(PICKET_E_INVALID, "no path to scan");
  if (request.paths_size() > kMostPaths) return failed(PICKET_E_INVALID, "more than " + std::to_string(kMostPaths) + " paths to scan");
  bool one_exists = false;
  for (const auto& path : request.paths()) {
    if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos || path.size() > 4000)
      return failed(PICKET_E_INVALID, "path '" + printable(path, 200) + "' is not an absolute path");
  }
  for (const auto& path : request.paths()) one_exists = one_exists || ::access(path.c_str(), F_OK) == 0 || errno != ENOENT;
  if (!one_exists) return failed(PICKET_E_NOT_FOUND, printable(request.paths(0), 1000) + " does not exist");
  return {};
}

}  // namespace

// A scanner of libyara's and what belongs to its thread.
class Scan::Worker {
 public:
  explicit Worker(Scan& scan) : scan_(scan) {
    if (::yr_scanner_create(scan.databases_.rules->get(), &scanner_) != ERROR_SUCCESS) return;
    ::yr_scanner_set_timeout(scanner_, scan.settings_.file_timeout_seconds);
    ::yr_scanner_set_flags(scanner_, SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING);  // no signal handlers: the memory is ours
    ::yr_scanner_set_callback(scanner_, &on_match, &matches_);
    const std::lock_guard lock(scan.scanners_mutex_);
    scan.scanners_.push_back(scanner_);
  }
  ~Worker() {
    if (scanner_ == nullptr) return;
    {
      const std::lock_guard lock(scan_.scanners_mutex_);
      std::erase(scan_.scanners_, scanner_);
    }
    ::yr_scanner_destroy(scanner_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  [[nodiscard]] bool is_ready() const { return scanner_ != nullptr; }

  void scan(const Entry& entry, std::uint64_t most) {
    if (static_cast<std::uint64_t>(entry.about.st_size) > most) return scan_.tell_skipped(entry.path, "larger than " + std::to_string(most) + " bytes");
    std::size_t size = 0;
    if (const auto read = read_whole(entry.file.get(), most, buffer_, size, scan_.over_); !read) {
      if (!scan_.over_) scan_.tell_skipped(entry.path, read.error().text);
      return;
    }
    const Facts facts = facts_.facts_of(entry.path, entry.about.st_uid, {buffer_.data(), size});
    const std::string* values[] = {&facts.filename, &facts.filepath, &facts.extension, &facts.filetype, &facts.owner, &facts.md5};
    // Rules compiled elsewhere may know fewer variables: those are not missed.
    for (std::size_t i = 0; i < std::size(values); ++i) (void)::yr_scanner_define_string_variable(scanner_, kExternals[i], values[i]->c_str());
    matches_.clear();
    const int code = ::yr_scanner_scan_mem(scanner_, reinterpret_cast<const std::uint8_t*>(buffer_.data()), size);
    if (scan_.over_) return;
    scan_.sums_.bytes += size;
    ++scan_.sums_.files;
    for (auto& match : matches_) {
      v1::ScanEvent event;
      auto& finding = *event.mutable_finding();
      finding.set_path(printable(entry.path));
      finding.set_rule(std::move(match.rule));
      finding.set_description(std::move(match.description));
      for (auto& tag : match.tags) finding.add_tags(std::move(tag));
      ++scan_.sums_.findings;
      scan_.tell(event);
    }
    if (code == ERROR_SCAN_TIMEOUT)
      scan_.tell_skipped(entry.path, "not done within " + std::to_string(scan_.settings_.file_timeout_seconds) + " s");
    else if (code != ERROR_SUCCESS)
      scan_.tell_skipped(entry.path, yara_error(code));
    scan_.tell_progress(entry.path);
    if (buffer_.size() > (4u << 20)) std::vector<char>().swap(buffer_);  // one large file is no reason to keep so much
  }

 private:
  Scan& scan_;
  YR_SCANNER* scanner_ = nullptr;
  std::vector<Match> matches_;
  std::vector<char> buffer_;
  FactFinder facts_;
};

Scan::Scan(Databases databases, Settings settings, v1::ScanRequest request, std::shared_ptr<picket::plugin::Answer> answer)
    : databases_(std::move(databases)), settings_(settings), request_(std::move(request)), answer_(std::move(answer)) {}

void Scan::interrupt() {
  over_ = true;
  answer_->abandon();
  const std::lock_guard lock(scanners_mutex_);
  // libyara has no call to stop a scan, but looks at its time limit all the time: a nanosecond is over.
  for (auto* const scanner : scanners_) __atomic_store_n(&scanner->timeout, std::uint64_t{1}, __ATOMIC_RELAXED);
}

void Scan::tell(const v1::ScanEvent& event) {
  const std::lock_guard lock(telling_);
  if (over_) return;
  // A refusal means that nobody waits for the rest.
  if (answer_->write_message(event.SerializeAsString()) != PICKET_OK) over_ = true;
}

void Scan::tell_skipped(const std::string& path, const std::string& why) {
  ++sums_.skipped;
  v1::ScanEvent event;
  event.mutable_skipped()->set_path(printable(path));
  event.mutable_skipped()->set_why(why);
  tell(event);
}

void Scan::tell_progress(const std::string& path) {
  const std::lock_guard lock(telling_);
  const auto now = Clock::now();
  if (over_ || now - last_progress_ < kProgressEvery) return;
  last_progress_ = now;
  v1::ScanEvent event;
  auto& progress = *event.mutable_progress();
  progress.set_files(sums_.files);
  progress.set_bytes(sums_.bytes);
  progress.set_path(printable(path));
  (void)answer_->offer_message(event.SerializeAsString());
}

void Scan::work(SharedWalk& walk) {
  Worker worker(*this);
  if (!worker.is_ready()) throw std::bad_alloc();
  const std::uint64_t most = request_.max_file_bytes() > 0 ? std::min(request_.max_file_bytes(), kMostFileBytes) : settings_.max_file_bytes;
  while (!over_) {
    const Entry entry = walk.next();
    if (entry.kind == Entry::Kind::end) return;
    if (entry.kind == Entry::Kind::skipped)
      tell_skipped(entry.path, entry.why);
    else
      worker.scan(entry, most);
  }
}

void Scan::run() {
  if (const auto good = check(request_); !good) {
    answer_->refuse(good.error().status, good.error().text);
    return;
  }
  SharedWalk walk({request_.paths().begin(), request_.paths().end()});
  std::atomic<bool> no_memory = false;
  const auto guarded = [&] {
    try {
      work(walk);
    } catch (const std::bad_alloc&) {
      no_memory = true;
      over_ = true;
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < settings_.threads; ++i) {
    try {
      others.emplace_back(guarded);
    } catch (const std::system_error&) {
      break;  // fewer threads are enough
    }
  }
  guarded();
  for (auto& thread : others) thread.join();
  if (no_memory) answer_->refuse(PICKET_E_INTERNAL, "not enough memory to scan");
  if (over_) return;
  v1::ScanReply reply;
  reply.set_files(sums_.files);
  reply.set_bytes(sums_.bytes);
  reply.set_findings(sums_.findings);
  reply.set_skipped(sums_.skipped);
  reply.set_release(databases_.release);
  reply.set_variant(databases_.variant);
  reply.set_elapsed_ms(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count()));
  answer_->finish("application/x-protobuf; messageType=picket.scan.v1.ScanReply", reply.SerializeAsString());
}

}  // namespace scanner
