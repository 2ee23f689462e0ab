#include "scanner.hpp"

#include <yara.h>

#include "text.hpp"

namespace scanner {
namespace {

namespace component = picket::component::v1;

constexpr const char* kNoDatabases = "no databases yet: run picketctl update run";
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
  databases_ = {};
  state_text_ = kNoDatabases;
  publish_state();
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  host_.report(PICKET_HEALTH_DEGRADED, kNoDatabases);
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
  if (loads_) loads_->stop();
  if (scans_) scans_->stop();
  loads_.reset();
  scans_.reset();
  jobs.clear();
  jobs_.clear();
  databases_ = {};
  if (yara_ready_) ::yr_finalize();
  yara_ready_ = false;
}

void Scanner::done(std::uint64_t request_id) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(request_id);
}

void Scanner::publish_state() {
  picket::scan::v1::ScannerState state;
  {
    const std::lock_guard lock(mutex_);
    state.set_ready(databases_.rules != nullptr);
    state.set_release(databases_.release);
    state.set_variant(databases_.variant);
    state.set_rules(databases_.rules ? databases_.rules->count() : 0);
    state.set_text(state_text_);
  }
  const auto status = host_.publish("picket.scan.state", "", "application/x-protobuf; messageType=picket.scan.v1.ScannerState", state.SerializeAsString());
  if (status == PICKET_E_BUSY) host_.set_timer(kRetryTimer, 500);
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
  if (request.set().component() != "yara-rules") {
    host_.refuse(request_id, PICKET_E_INVALID, "the scanner has no use for the component " + printable(request.set().component(), 100));
    return;
  }
  if (request.set().path().empty() || request.set().path().front() != '/') {
    host_.refuse(request_id, PICKET_E_INVALID, "the set's path is not absolute");
    return;
  }
  const Job job{std::make_shared<Answer>(host_, request_id), nullptr, std::make_shared<std::atomic<bool>>(false)};
  {
    const std::lock_guard lock(mutex_);
    jobs_[request_id] = job;
  }
  // One load at a time and in order, so that the last one asked for is the one in force.
  const bool accepted = loads_ && loads_->submit([this, request_id, job, request = std::move(request)] {
    try {
      if (!*job.cancelled) load(request, *job.answer, *job.cancelled);
    } catch (const std::exception& e) {
      job.answer->refuse(PICKET_E_INTERNAL, std::string("cannot load the rules: ") + e.what());
    }
    done(request_id);
  });
  if (accepted) return;
  job.answer->refuse(PICKET_E_BUSY, "too many sets of rules wait to be loaded");
  done(request_id);
}

void Scanner::load(const component::ActivateRequest& request, Answer& answer, const std::atomic<bool>& cancelled) {
  const auto& set = request.set();
  const auto rules = Rules::load(set.path(), {settings().tolerate_broken_files, &cancelled});
  const std::string name = "release " + std::to_string(set.release()) + " (" + printable(set.variant(), 20) + ")";
  if (cancelled) return;
  if (!rules) {
    {
      const std::lock_guard lock(mutex_);
      if (databases_.rules)
        state_text_ = std::to_string(databases_.rules->count()) + " rules of release " + std::to_string(databases_.release) + "; " + name + " was refused: " + rules.error().text;
      else
        state_text_ = "no databases: " + name + " was refused: " + rules.error().text;
    }
    host_.warning(name + " of yara-rules is refused: " + rules.error().text);
    publish_state();
    answer.refuse(rules.error().status, rules.error().text);
    return;
  }
  const std::string count = std::to_string((*rules)->count()) + " rules";
  const std::string note = (*rules)->note().empty() ? std::string() : "; " + (*rules)->note();
  {
    const std::lock_guard lock(mutex_);
    databases_ = {*rules, set.release(), set.variant()};
    state_text_ = count + " of " + name + note;
  }
  publish_state();
  host_.report(note.empty() ? PICKET_HEALTH_HEALTHY : PICKET_HEALTH_DEGRADED, note.empty() ? std::string() : (*rules)->note());
  component::ActivateReply reply;
  reply.set_text(count + note);
  answer.finish("application/x-protobuf; messageType=picket.component.v1.ActivateReply", reply.SerializeAsString());
}

void Scanner::scan(std::uint64_t request_id, std::string_view payload) {
  picket::scan::v1::ScanRequest request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    host_.refuse(request_id, PICKET_E_INVALID, "the request is not a picket.scan.v1.ScanRequest");
    return;
  }
  Databases databases;
  {
    const std::lock_guard lock(mutex_);
    databases = databases_;
  }
  if (!databases.rules) {
    host_.refuse(request_id, PICKET_E_UNAVAILABLE, kNoDatabases);
    return;
  }
  Job job{std::make_shared<Answer>(host_, request_id), nullptr, nullptr};
  job.scan = std::make_shared<Scan>(std::move(databases), settings(), std::move(request), job.answer);
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
