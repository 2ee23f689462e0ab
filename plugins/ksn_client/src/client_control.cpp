// What the user and the administrator ask of the client.
#include "base/bytes.hpp"
#include "client.hpp"
#include "greeting.hpp"
#include "printed.hpp"

namespace ksn_client {

v1::StatusReply Client::status() {
  look_at_consent();
  const auto now = host_.now();
  auto out = status_of(situation(), now);
  for (const auto& [name, sum] : sums()) (*out.mutable_counters())[name] = sum;
  (*out.mutable_counters())["waiting"] = outbox_->waiting();
  std::string folder, language;
  {
    const std::lock_guard lock(mutex_);
    if (provider_) {
      auto* provider = out.mutable_provider();
      provider->set_name(provider_->name);
      provider->set_contact(provider_->contact);
      provider->set_created(provider_->created);
      provider->set_private_ksn(provider_->private_ksn);
      for (const auto& server : provider_->servers) provider->add_servers(server);
    }
    folder = settings_.statements_folder;
    language = settings_.language;
    if (cache_) (*out.mutable_counters())["cache_damaged"] = cache_->damaged();
  }
  const auto ships = Statement::load(folder, language);
  const std::lock_guard lock(mutex_);
  *out.mutable_statement() = consent_.shown(ships ? &*ships : nullptr);
  return out;
}

v1::KsnState Client::state() { return state_of(situation(), host_.now()); }

Result<v1::StatementReply> Client::statement(const std::string& language) {
  std::string folder, wanted = language;
  {
    const std::lock_guard lock(mutex_);
    folder = settings_.statements_folder;
    if (wanted.empty()) wanted = settings_.language;
  }
  for (const char c : wanted)
    if ((c < 'a' || c > 'z') && c != '-') return fail(Code::invalid, "a language is like 'en'");
  PICKET_LET(ships, Statement::load(folder, wanted));
  v1::StatementReply out;
  const std::lock_guard lock(mutex_);
  *out.mutable_statement() = consent_.shown(&ships);
  out.mutable_statement()->set_text(ships.text);
  for (const auto& name : Statement::languages(folder)) out.add_languages(name);
  return out;
}

Result<v1::DecideReply> Client::decide(const v1::DecideRequest& request) {
  PICKET_LET(shown, statement(request.language()));
  if (request.digest() != shown.statement().digest()) return fail(Code::conflict, "the statement is another one than was shown: read it again");
  look_at_consent();
  Statement ships{shown.statement().version(), shown.statement().language(), shown.statement().digest(), ""};
  bool went_off = false;
  Result<> decided;
  gate_->change([&] {
    const std::lock_guard lock(mutex_);
    if (request.accept() && !situation_.unread.empty()) {
      decided = fail(Code::io, situation_.unread);  // a switch that users may not turn could lie there
      return;
    }
    decided = consent_.decide(host_.keep, ships, request.accept(), request.who(), host_.now(), settings_.user_may_switch);
    went_off = consent_changed();
  });
  if (went_off) fall_silent("the KSN statement was declined");
  refresh();
  if (!decided) return fail(std::move(decided).error());
  host_.log(false, cat("the KSN statement ", ships.version, " (", ships.language, ", SHA-256 ", ships.digest, ") was ", request.accept() ? "accepted" : "declined", " by ", picket::whole_characters(request.who(), 200)));
  v1::DecideReply out;
  out.set_status(status().line());
  const std::lock_guard lock(mutex_);
  *out.mutable_statement() = consent_.shown(&ships);
  return out;
}

Result<v1::SwitchReply> Client::switch_to(const v1::SwitchRequest& request) {
  look_at_consent();
  bool went_off = false;
  Result<> switched;
  gate_->change([&] {
    const std::lock_guard lock(mutex_);
    if (!settings_.user_may_switch) {
      switched = fail(Code::denied, "policy does not let users switch KSN");
    } else if (request.on() && !settings_.enabled) {
      switched = fail(Code::denied, "policy forbids KSN");
    } else if (request.on() && !situation_.unread.empty()) {
      switched = fail(Code::io, situation_.unread);
    } else if (request.on() && consent_.accepted() == nullptr) {
      switched = fail(Code::denied, "the KSN statement is not accepted: picketctl ksn statement show, then accept");
    } else {
      switched = consent_.switch_to(host_.keep, request.on(), request.who(), host_.now());
      went_off = consent_changed();
    }
  });
  v1::SwitchReply out;
  if (went_off) out.set_cleared(fall_silent("KSN was switched off"));
  refresh();
  if (!switched) return fail(std::move(switched).error());
  out.set_status(status().line());
  return out;
}

// As it would go now, as far as that is known; empty: nothing may go.
std::string Client::next_message() {
  if (auto waiting = broker_->waiting(); waiting.questions_size() > 0) {
    *waiting.mutable_asker() = gate_->asker();
    return printed("/ksn/v1/ask", waiting.SerializeAsString());
  }
  if (auto next = outbox_->look(forbids("statistics").empty(), forbids("content").empty(), host_.now())) {
    *(next->is_content() ? next->content.mutable_asker() : next->statistics.mutable_asker()) = gate_->asker();
    return printed(next->path, next->is_content() ? next->content.SerializeAsString() : next->statistics.SerializeAsString());
  }
  if (!forbids("hello").empty()) return {};
  v1::HelloRequest hello;
  *hello.mutable_asker() = gate_->asker();
  return printed("/ksn/v1/hello", hello.SerializeAsString());
}

void Client::sent(v1::SentRequest::What what, std::function<void(Result<v1::SentReply>)> done) {
  v1::SentReply out;
  if (const auto last = gate_->last(); what != v1::SentRequest::NEXT && !last.path.empty()) {
    out.set_last(printed(last.path, *last.body));
    out.set_last_when(last.when);
    out.set_last_to(last.to);
    out.set_last_taken(last.taken);
  }
  if (what == v1::SentRequest::LAST) return done(std::move(out));
  auto shared = std::make_shared<std::function<void(Result<v1::SentReply>)>>(std::move(done));
  const bool taken = worker_.submit([this, shared, out = std::move(out)]() mutable {
    out.set_next(next_message());
    (*shared)(std::move(out));
  });
  if (!taken) (*shared)(fail(Code::busy, "too much waits to be looked at"));
}

void Client::connection(std::chrono::milliseconds deadline, std::function<void(Result<v1::ConnectionReply>)> done) {
  std::string ksn;
  bool patient = false;
  {
    const std::lock_guard lock(mutex_);
    ksn = provider_ ? provider_->name : "";
    patient = deadline >= settings_.request_timeout;
  }
  auto shut = gate_->try_all("hello", "/ksn/v1/hello", v1::HelloRequest(), deadline, [this, ksn, patient, done](std::vector<Line::Tried> tried) {
    v1::ConnectionReply out;
    for (auto& one : tried) {
      auto* row = out.add_tried();
      row->set_address(one.way.road.base_url);
      row->set_proxy(one.way.is_proxy);
      v1::HelloReply reply;
      Result<> works;
      if (!one.answer) works = fail(kept_from(one.answer.error(), one.way));
      else if (one.answer->status != 200) works = fail(refused_by(*one.answer, one.way).error);
      else works = read_greeting(one.answer->body, ksn, reply);
      if (one.answer) {
        row->set_milliseconds(static_cast<std::uint32_t>(one.answer->took.count()));
        row->set_protocol(one.answer->protocol);
      }
      row->set_ksn(std::string(picket::whole_characters(reply.ksn(), 200)));
      row->set_works(works.has_value());
      row->set_text(works ? (reply.proxy() ? "a KSN proxy" : "a KSN server") : works.error().message);
      // Who asks may be less patient than we are with KSN: that is no failure.
      if (works || patient || works.error().code != Code::timeout) attempted(&one.way, "/ksn/v1/hello", works ? nullptr : &works.error());
    }
    done(std::move(out));
  });
  if (!shut) done(fail(std::move(shut).error()));
}

}  // namespace ksn_client
