#include "scan.hpp"

#include <unistd.h>
#include <yara.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include "base/bytes.hpp"
#include "text.hpp"
#include "worker.hpp"

namespace scanner {

namespace v1 = picket::scan::v1;
using Clock = std::chrono::steady_clock;

class SharedWalk {
 public:
  SharedWalk(std::vector<std::string> paths, const std::string& store) : walker_(std::move(paths), store) {}
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

std::string hex_of(const picket::digests::Sha256& digest) { return picket::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}); }

}  // namespace

Scan::Scan(Databases databases, Settings settings, Reputation& reputation, v1::ScanRequest request, std::shared_ptr<picket::plugin::Answer> answer)
    : databases_(std::move(databases)), settings_(settings), reputation_(reputation), request_(std::move(request)), answer_(std::move(answer)) {}

void Scan::interrupt() {
  over_ = true;
  answer_->abandon();
  reputation_.wake();
  const std::lock_guard lock(scanners_mutex_);
  // libyara has no call to stop a scan, but looks at its time limit all the time: a nanosecond is over.
  for (auto* const scanner : scanners_) __atomic_store_n(&scanner->timeout, std::uint64_t{1}, __ATOMIC_RELAXED);
}

void Scan::settle(Look look) {
  if (is_question(look.evidence) && look.has_digest && reputation_.is_asked())
    return ask(questions_.add(std::move(look)));
  if (is_question(look.evidence)) miss_ksn(reputation_.trouble());
  decide(look, {});
}

void Scan::miss_ksn(std::string why) {
  const std::lock_guard lock(telling_);
  if (ksn_missed_.empty()) ksn_missed_ = std::move(why);
}

void Scan::ask(std::vector<Look> batch) {
  if (batch.empty() || over_) return;
  std::vector<Reputation::Question> questions;
  for (const auto& look : batch) questions.push_back({look.digest, look.is_exact_path ? std::string_view(look.path) : std::string_view()});
  auto answers = reputation_.ask(questions, std::chrono::milliseconds(settings_.ksn_timeout_ms), over_);
  if (over_) return;
  miss_ksn(std::move(answers.trouble));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!answers.known_only) ++sums_.asked;
    batch[i].evidence.ksn = answers.each[i].verdict;
    decide(batch[i], answers.each[i]);
  }
}

void Scan::decide(Look& look, const Reputation::Answer& answer) {
  if (is_question(look.evidence) && (look.evidence.ksn == Ksn::not_asked || look.evidence.ksn == Ksn::unanswered)) ++sums_.unanswered;
  const auto judgement = judge(look.evidence);
  if (judgement.cleared != By::nobody && look.evidence.rules) ++sums_.suppressed;
  if (judgement.rules)
    for (const auto& match : look.matches) tell_finding(look, "rule", match.rule, match.description, match.tags, {});
  if (judgement.alarm == By::database)
    tell_finding(look, "database", look.threat.empty() ? "untrusted" : look.threat, "in the digest database of release " + std::to_string(databases_.digests_release), {}, look.category);
  if (judgement.alarm == By::ksn)
    tell_finding(look, "ksn", answer.threat.empty() ? "untrusted" : answer.threat, answer.ksn.empty() ? "untrusted by KSN" : "untrusted by " + answer.ksn, {}, answer.category);
  if (!judgement.suspected) return;
  ++sums_.suspected;
  v1::ScanEvent event;
  auto& finding = *event.mutable_finding();
  finding.set_path(look.path);
  finding.set_rule("suspected");
  finding.set_description(answer.is_excluded ? "hits the light digest database, and an exclusion keeps KSN from being asked" : "hits the light digest database, not confirmed: one harmless file in 256 does");
  finding.set_decided_by("filter");
  finding.set_sha256(hex_of(look.digest));
  finding.set_suspected(true);
  tell(event);
}

void Scan::tell_finding(const Look& look, std::string_view by, const std::string& name, const std::string& description, const std::vector<std::string>& tags, const std::string& category) {
  v1::ScanEvent event;
  auto& finding = *event.mutable_finding();
  finding.set_path(look.path);
  finding.set_rule(name);
  finding.set_description(description);
  for (const auto& tag : tags) finding.add_tags(tag);
  finding.set_decided_by(std::string(by));
  if (look.has_digest) finding.set_sha256(hex_of(look.digest));
  finding.set_category(category);
  ++sums_.findings;
  tell(event);
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
    if (entry.kind == Entry::Kind::end) break;
    if (entry.kind == Entry::Kind::skipped)
      tell_skipped(entry.path, entry.why);
    else
      worker.scan(entry, most);
    ask(questions_.take_old());
  }
  ask(questions_.take_all());  // the last of the workers finds what the others left
}

v1::ScanReply Scan::sums() const {
  v1::ScanReply reply;
  reply.set_files(sums_.files);
  reply.set_bytes(sums_.bytes);
  reply.set_findings(sums_.findings);
  reply.set_skipped(sums_.skipped);
  reply.set_suspected(sums_.suspected);
  reply.set_suppressed(sums_.suppressed);
  reply.set_asked(sums_.asked);
  reply.set_unanswered(sums_.unanswered);
  reply.set_release(databases_.release);
  reply.set_variant(databases_.variant);
  reply.set_digests_release(databases_.digests_release);
  reply.set_digests_variant(databases_.digests_variant);
  if (sums_.suspected > 0) reply.set_note(ksn_missed_);
  reply.set_elapsed_ms(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count()));
  return reply;
}

void Scan::run() {
  if (const auto good = check(request_); !good) {
    answer_->refuse(good.error().status, good.error().text);
    return;
  }
  SharedWalk walk({request_.paths().begin(), request_.paths().end()}, databases_.store);
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
  answer_->finish("application/x-protobuf; messageType=picket.scan.v1.ScanReply", sums().SerializeAsString());
}

}  // namespace scanner
