#include "scanner.hpp"

#include <yara.h>

#include <utility>

#include "text.hpp"

namespace scanner {
namespace {

namespace component = picket::component::v1;

constexpr std::uint64_t kRetryTimer = 1;

}  // namespace

picket_status Scanner::start(std::string_view settings_json, std::uint64_t revision) {
  const auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  settings_ = *settings;
  if (const int code = ::yr_initialize(); code != ERROR_SUCCESS) return host_.fail(PICKET_E_INTERNAL, "libyara cannot be started: " + yara_error(code));
  yara_ready_ = true;
  loads_ = std::make_unique<Threads>(1, 4);
  scans_ = std::make_unique<Threads>(2, 8);
  standing_ = {};
  complaint_told_.clear();
  reputation_.start();
  tell();
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  // Without it KSN is never asked, which is what it comes to where there is no KSN.
  if (host_.subscribe("picket.ksn.state") != PICKET_OK) host_.warning("cannot subscribe to picket.ksn.state: KSN will not be asked");
  return PICKET_OK;
}

picket_status Scanner::apply(std::string_view settings_json, std::uint64_t revision) {
  const auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  {
    const std::lock_guard lock(mutex_);
    settings_ = *settings;  // for the next scan and the next set of rules
  }
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

Settings Scanner::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void Scanner::end(const Job& job) {
  if (job.cancelled) *job.cancelled = true;
  if (job.scan) job.scan->interrupt();
  job.answer->abandon();
}

void Scanner::stop() {
  std::map<std::uint64_t, Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs = jobs_;
  }
  for (const auto& [id, job] : jobs) {
    job.answer->refuse(PICKET_E_UNAVAILABLE, "the scanner is stopping");
    end(job);
  }
  reputation_.stop();
  if (loads_) loads_->stop();
  if (scans_) scans_->stop();
  loads_.reset();
  scans_.reset();
  jobs.clear();
  jobs_.clear();
  standing_ = {};
  if (yara_ready_) ::yr_finalize();
  yara_ready_ = false;
}

void Scanner::done(std::uint64_t request_id) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(request_id);
}

void Scanner::tell() {
  const std::lock_guard one(telling_);
  Standing now;
  {
    const std::lock_guard lock(mutex_);
    now = standing_;
  }
  now.ksn_trouble = reputation_.trouble();
  const auto status = host_.publish("picket.scan.state", "", "application/x-protobuf; messageType=picket.scan.v1.ScannerState", now.state().SerializeAsString());
  if (status == PICKET_E_BUSY) host_.set_timer(kRetryTimer, 500);
  const std::string complaint = now.complaint();
  if (complaint == complaint_told_) return;
  complaint_told_ = complaint;
  host_.report(complaint.empty() ? PICKET_HEALTH_HEALTHY : PICKET_HEALTH_DEGRADED, complaint);
}

void Scanner::on_message(const picket::plugin::Message& message) {
  if (message.topic == "picket.ksn.state" && message.key.empty()) reputation_.on_state(message.payload);
}

void Scanner::on_request(std::uint64_t request_id, const picket::plugin::Message& request) {
  if (request.topic == "picket.component.activate")
    activate(request_id, request.payload);
  else if (request.topic == "picket.scan.run")
    scan(request_id, request.payload);
  else
    host_.refuse(request_id, PICKET_E_UNSUPPORTED, "the scanner does not answer " + std::string(request.topic));
}

void Scanner::activate(std::uint64_t request_id, std::string_view payload) {
  component::ActivateRequest request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.component.v1.ActivateRequest");
    return;
  }
  if (request.set().component() != "yara-rules" && request.set().component() != "digests") {
    host_.refuse(request_id, PICKET_E_INVALID, "the scanner has no use for the component " + printable(request.set().component(), 100));
    return;
  }
  if (request.set().path().empty() || request.set().path().front() != '/') {
    host_.refuse(request_id, PICKET_E_INVALID, "the set's path is not absolute");
    return;
  }
  const Job job{std::make_shared<Answer>(host_, request_id), nullptr, std::make_shared<std::atomic<bool>>(false)};
  bool rules = request.set().component() == "yara-rules";
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    jobs_[request_id] = job;
    first = rules && !standing_.databases.rules;
    if (rules) ++standing_.rules_coming;
  }
  if (first) tell();
  // One load at a time and in order, so that the last one asked for is the one in force.
  const bool accepted = loads_ && loads_->submit([this, request_id, job, rules, request = std::move(request)]() mutable {
    try {
      if (!*job.cancelled) load(request, *job.answer, *job.cancelled, rules);
    } catch (const std::exception& e) {
      job.answer->refuse(PICKET_E_INTERNAL, std::string("cannot load it: ") + e.what());
    }
    if (rules) {  // not even tried to its end
      came(rules);
      tell();
    }
    done(request_id);
  });
  if (accepted) return;
  job.answer->refuse(PICKET_E_BUSY, "too many sets wait to be loaded");
  came(rules);
  tell();
  done(request_id);
}

void Scanner::came(bool& rules) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(rules, false)) --standing_.rules_coming;
}

void Scanner::load(const component::ActivateRequest& request, Answer& answer, const std::atomic<bool>& cancelled, bool& rules) {
  const auto& set = request.set();
  const bool digests = set.component() == "digests";
  const auto loaded = digests ? load_digests(set) : load_rules(set, cancelled);
  if (cancelled) return;
  came(rules);
  if (!loaded) {
    const std::string refused = "release " + std::to_string(set.release()) + " (" + printable(set.variant(), 20) + ") was refused: " + loaded.error().text;
    {
      const std::lock_guard lock(mutex_);
      (digests ? standing_.digests_refused : standing_.rules_refused) = (digests ? "digests " : "") + refused;
    }
    host_.warning(printable(set.component(), 100) + " " + refused);
    tell();
    answer.refuse(loaded.error().status, loaded.error().text);
    return;
  }
  tell();
  component::ActivateReply reply;
  reply.set_text(*loaded);
  answer.finish("application/x-protobuf; messageType=picket.component.v1.ActivateReply", reply.SerializeAsString());
}

Outcome<std::string> Scanner::load_rules(const component::ActiveSet& set, const std::atomic<bool>& cancelled) {
  const auto rules = Rules::load(set.path(), {settings().tolerate_broken_files, &cancelled});
  if (!rules) return tl::unexpected(rules.error());
  if (cancelled) return failed(PICKET_E_CANCELLED, "cancelled");
  const std::string note = (*rules)->note().empty() ? std::string() : "; " + (*rules)->note();
  const std::lock_guard lock(mutex_);
  standing_.databases.rules = *rules;
  standing_.databases.release = set.release();
  standing_.databases.store = set.store();
  standing_.databases.variant = printable(set.variant(), 20);
  standing_.rules_refused.clear();
  return std::to_string((*rules)->count()) + " rules" + note;
}

Outcome<std::string> Scanner::load_digests(const component::ActiveSet& set) {
  const auto digests = picket::digests::Database::open_set(set.path());
  // The numbers of picket_status are those of Code, negated.
  if (!digests) return failed(-static_cast<picket_status>(digests.error().code), printable(digests.error().message, 500));
  const auto counts = (*digests)->counts();
  const std::lock_guard lock(mutex_);
  standing_.databases.digests = *digests;
  standing_.databases.digests_release = set.release();
  standing_.databases.store = set.store();
  standing_.databases.digests_variant = printable(set.variant(), 20);
  standing_.digests_refused.clear();
  return std::to_string(counts.all()) + " digests" + ((*digests)->is_light() ? " in a filter" : ", " + std::to_string(counts.trusted) + " of them trusted");
}

void Scanner::scan(std::uint64_t request_id, std::string_view payload) {
  picket::scan::v1::ScanRequest request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.scan.v1.ScanRequest");
    return;
  }
  Databases databases;
  std::string missing;
  {
    const std::lock_guard lock(mutex_);
    databases = standing_.databases;
    missing = standing_.missing();
  }
  if (!missing.empty()) {
    host_.refuse(request_id, PICKET_E_UNAVAILABLE, missing);
    return;
  }
  Job job{std::make_shared<Answer>(host_, request_id), nullptr, nullptr};
  job.scan = std::make_shared<Scan>(std::move(databases), settings(), reputation_, std::move(request), job.answer);
  {
    const std::lock_guard lock(mutex_);
    jobs_[request_id] = job;
  }
  const bool accepted = scans_ && scans_->submit([this, request_id, job] {
    try {
      job.scan->run();
    } catch (const std::exception& e) {
      job.answer->refuse(PICKET_E_INTERNAL, std::string("cannot scan: ") + e.what());
    }
    done(request_id);
  });
  if (accepted) return;
  job.answer->refuse(PICKET_E_BUSY, "too many scans run already: try later");
  done(request_id);
}

void Scanner::on_credit(std::uint64_t request_id, std::uint64_t bytes) {
  std::shared_ptr<Answer> answer;
  {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(request_id);
    if (found != jobs_.end()) answer = found->second.answer;
  }
  if (answer) answer->on_credit(bytes);
}

void Scanner::on_cancel(std::uint64_t request_id) {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(request_id);
    if (found == jobs_.end()) return;
    job = found->second;
  }
  end(job);
}

}  // namespace scanner
