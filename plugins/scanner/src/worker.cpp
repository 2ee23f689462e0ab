#include "worker.hpp"

#include <unistd.h>
#include <yara.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "text.hpp"

namespace scanner {
namespace {

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

}  // namespace

Worker::Worker(Scan& scan) : scan_(scan) {
  if (::yr_scanner_create(scan.databases_.rules->get(), &scanner_) != ERROR_SUCCESS) return;
  ::yr_scanner_set_timeout(scanner_, scan.settings_.file_timeout_seconds);
  ::yr_scanner_set_flags(scanner_, SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING);  // no signal handlers: the memory is ours
  ::yr_scanner_set_callback(scanner_, &on_match, &matches_);
  const std::lock_guard lock(scan.scanners_mutex_);
  scan.scanners_.push_back(scanner_);
}

Worker::~Worker() {
  if (scanner_ == nullptr) return;
  {
    const std::lock_guard lock(scan_.scanners_mutex_);
    std::erase(scan_.scanners_, scanner_);
  }
  ::yr_scanner_destroy(scanner_);
}

void Worker::look_up(Look& look, std::string_view content) const {
  // Who asks nobody needs no digest.
  if (!scan_.databases_.digests && (look.matches.empty() || !scan_.reputation_.is_asked())) return;
  look.has_digest = sha256_of(content, look.digest);
  if (!look.has_digest || !scan_.databases_.digests) return;
  const auto known = scan_.databases_.digests->find(look.digest);
  look.evidence.database = known.verdict;
  look.evidence.filter_hit = known.maybe;
  look.category = printable(known.category, 100);
  look.threat = printable(known.name, 300);
}

void Worker::scan(const Entry& entry, std::uint64_t most) {
  if (static_cast<std::uint64_t>(entry.about.st_size) > most) return scan_.tell_skipped(entry.path, "larger than " + std::to_string(most) + " bytes");
  std::size_t size = 0;
  if (const auto read = read_whole(entry.file.get(), most, buffer_, size, scan_.over_); !read) {
    if (!scan_.over_) scan_.tell_skipped(entry.path, read.error().text);
    return;
  }
  const std::string_view content(buffer_.data(), size);
  const Facts facts = facts_.facts_of(entry.path, entry.about.st_uid, content);
  const std::string* values[] = {&facts.filename, &facts.filepath, &facts.extension, &facts.filetype, &facts.owner, &facts.md5};
  // Rules compiled elsewhere may know fewer variables: those are not missed.
  for (std::size_t i = 0; i < std::size(values); ++i) (void)::yr_scanner_define_string_variable(scanner_, kExternals[i], values[i]->c_str());
  matches_.clear();
  const int code = ::yr_scanner_scan_mem(scanner_, reinterpret_cast<const std::uint8_t*>(buffer_.data()), size);
  if (scan_.over_) return;
  scan_.sums_.bytes += size;
  ++scan_.sums_.files;
  Look look;
  look.path = printable(entry.path);
  look.is_exact_path = look.path == entry.path;
  look.matches = std::exchange(matches_, {});
  look.evidence.rules = !look.matches.empty();
  look_up(look, content);
  scan_.settle(std::move(look));
  // What the rules could not finish, the digests may still have decided.
  if (code == ERROR_SCAN_TIMEOUT)
    scan_.tell_skipped(entry.path, "not done within " + std::to_string(scan_.settings_.file_timeout_seconds) + " s");
  else if (code != ERROR_SUCCESS)
    scan_.tell_skipped(entry.path, yara_error(code));
  scan_.tell_progress(entry.path);
  if (buffer_.size() > (4u << 20)) std::vector<char>().swap(buffer_);  // one large file is no reason to keep so much
}

}  // namespace scanner
