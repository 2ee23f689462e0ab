// What the client says and asks of its own: greetings, statistics, files; and programs for others.
#include "base/bytes.hpp"
#include "client.hpp"
#include "greeting.hpp"
#include "printed.hpp"

namespace ksn_client {

using namespace std::chrono_literals;

void Client::check(const v1::CheckRequest& request, std::chrono::milliseconds deadline, Checker::Done done) {
  checker_->check(request, deadline, std::move(done));
}

void Client::software(std::string path, std::chrono::milliseconds deadline, SoftwareDone done) {
  std::shared_ptr<Programs> programs;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    const double rate = settings_.software_per_second;
    if (software_counted_ == std::chrono::steady_clock::time_point()) software_tokens_ = rate * 2;
    else software_tokens_ = std::min(rate * 2, software_tokens_ + rate * std::chrono::duration<double>(now - software_counted_).count());
    software_counted_ = now;
    if (software_tokens_ >= 1) {
      software_tokens_ -= 1;
      programs = programs_;
    }
  }
  if (!programs) return done(fail(Code::busy, "more programs start than may be asked about (setting software_per_second)"));
  const auto until = std::chrono::steady_clock::now() + deadline;
  auto shared = std::make_shared<SoftwareDone>(std::move(done));
  const auto tell = [this, shared, until, path](Result<Program> program) {
    if (!program) return (*shared)(fail(std::move(program).error()));
    v1::CheckRequest request;
    auto* file = request.add_objects();
    file->set_file_digest(program->digest);
    file->set_path(path);
    const bool named = program->valid && !program->publisher.empty();
    if (named) {
      auto* software = request.add_objects()->mutable_software();
      software->set_publisher(program->publisher);
      software->set_product(program->product);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    check(request, std::max(left, 1ms), [program = std::move(*program), shared, named](Result<std::string> answer) {
      v1::CheckReply checked;
      if (!answer) return (*shared)(fail(std::move(answer).error()));
      if (!checked.ParseFromString(*answer) || checked.checked_size() != (named ? 2 : 1)) return (*shared)(fail(Code::internal, "the check's answer cannot be read"));
      v1::SoftwareReply reply;
      *reply.mutable_file() = checked.checked(0);
      if (named) *reply.mutable_checked() = checked.checked(1);
      else reply.mutable_checked()->set_why(program.note.empty() ? "nobody is named as its publisher" : program.note);
      reply.mutable_software()->set_publisher(program.publisher);
      reply.mutable_software()->set_product(program.product);
      reply.set_identified_by(program.identified_by);
      reply.set_signature_valid(program.valid);
      // What is known of this very content counts before what is known of all that its publisher makes.
      const bool by_software = named && reply.checked().facts().verdict() != v1::VERDICT_UNKNOWN && reply.file().facts().verdict() == v1::VERDICT_UNKNOWN;
      const auto& decides = by_software ? reply.checked() : reply.file();
      if (decides.from() != v1::Checked::NOBODY) reply.set_decided_by(by_software ? "software" : "file");
      const std::string who = program.publisher.empty() ? "of an unknown publisher" : cat(program.product.empty() ? "a program" : program.product, " of ", program.publisher,
                                                                                         program.version.empty() ? "" : cat(", version ", program.version));
      reply.set_text(cat(decides.from() == v1::Checked::NOBODY ? "not known now" : word_of(decides.facts().verdict()), ": ", who, program.note.empty() ? "" : cat(" (", program.note, ")")));
      (*shared)(std::move(reply));
    });
  };
  const auto busy = [shared] { (*shared)(fail(Code::busy, "too many programs wait to be looked at")); };
  const bool taken = worker_.submit([this, programs, path, tell, busy, until] {
    auto program = programs->identify(path, Programs::kReadAtOnce);
    if (program || program.error().code != Code::too_large) return tell(std::move(program));
    const bool waits = large_files_.submit([this, programs, path, tell, until] {
      if (std::chrono::steady_clock::now() >= until) return tell(fail(Code::timeout, "other large files are read"));
      tell(programs->identify(path, Programs::kMostFile, [this] { return large_files_.is_stopping(); }));
    });
    if (!waits) busy();
  });
  if (!taken) busy();
}

// ---- the ticker

namespace {
constexpr std::int64_t kLooksSeconds = 60;  // at the provider file, while all is not well, and at local lists
constexpr std::int64_t kReadsSeconds = 5;   // what is kept, while it cannot be read
}

void Client::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_ = false;
    lock.unlock();
    look_at_consent();
    look_at_outbox();
    const auto rests = std::chrono::ceil<std::chrono::seconds>(line_->until_next_attempt()).count();
    lock.lock();
    const auto now = host_.now();
    mind_the_clock(now);
    const bool on = situation_.is_on() && situation_.has_provider && situation_.why_nobody().empty();
    const bool greets = on && greeting_ == 0 && rests == 0 && situation_.directives.permits("hello", now) && now >= greets_at();
    const bool sends = on && !outbox_busy_ && settings_.extended && now >= outbox_rests_until_;
    const auto files = files_of(settings_);
    const auto files_seen = files_seen_;
    const auto lists = settings_.local_files;
    const auto lists_seen = lists_seen_;
    const bool no_lists = !situation_.no_lists.empty();
    const bool comes_later = (no_lists || (!situation_.has_provider && !settings_.provider_file.empty())) && now >= greet_at_;
    const bool looks_again = comes_later || (!situation_.refused_file.empty() && now >= look_at_);
    const auto soon = now + std::max<std::int64_t>(1, std::min<std::int64_t>(settings_.heartbeat.count(), kLooksSeconds));
    if (greets || comes_later) greet_at_ = soon;
    if (looks_again) look_at_ = soon;
    const bool name_expired = now - installation_made_ >= std::chrono::seconds(settings_.installation).count() || is_of_later(installation_made_, now);
    lock.unlock();
    if (name_expired) name_asker();
    if (looks_again || stamps_of(files) != files_seen) look_at_provider();
    if ((no_lists && looks_again) || stamps_of(lists) != lists_seen) look_at_lists();
    if (greets) greet();
    outbox_->counted(sums(), now);
    if (sends) send_from_outbox();
    const auto counts_at = outbox_->counts_at();
    host_.changed();
    lock.lock();
    if (stopping_ || wake_) continue;
    auto next = now + 3600;
    const auto consider = [&](std::int64_t when) {
      if (when > now) next = std::min(next, when);
    };
    if (on) {
      consider(std::max(greets_at(), now + rests));
      consider(counts_at);
      consider(outbox_rests_until_);
      if (!situation_.refused_file.empty()) consider(look_at_);
      if (situation_.failing_since != 0) consider(now + kLooksSeconds);  // another provider file may be the end of it
    }
    if (!situation_.has_provider && !settings_.provider_file.empty()) consider(greet_at_);
    if (!on || !lists.empty()) consider(soon);  // lists count while KSN is off, too, and a version that runs beside this one may be told to switch it on
    if (!situation_.unread.empty() || !outbox_->is_read()) consider(now + kReadsSeconds);
    consider(changes_at(situation_, now));
    tick_.wait_for(lock, std::chrono::seconds(std::max<std::int64_t>(next - now, 1)), [this] { return stopping_ || wake_; });
  }
}

void Client::look_at_outbox() {
  std::string told = "what waits to be sent to KSN can be read now";
  if (outbox_->is_read() || !outbox_->read(told)) return;
  host_.log(true, told);
  refresh();
}

void Client::greet() {
  std::chrono::milliseconds timeout;
  std::string ksn;
  std::uint64_t number = 0;
  bool proves = false;
  {
    const std::lock_guard lock(mutex_);
    number = greeting_ = ++greetings_;
    proves = unbelieved_;
    timeout = settings_.request_timeout;
    ksn = provider_ ? provider_->name : "";
  }
  const auto ended = [this, number] {
    const std::lock_guard lock(mutex_);
    if (greeting_ == number) greeting_ = 0;
  };
  if (proves) {
    // Anybody can say hello. Who answered what is not the provider's is asked, about no file.
    const auto nothing = key_of(v1::OBJECT_FILE, std::string(picket::ksn::kDigestBytes, '\0'));
    return broker_->ask({nothing}, timeout, [ended](const std::vector<Answered>&) { ended(); }, broker_->settled());
  }
  gate_->post(
      "hello", "/ksn/v1/hello", v1::HelloRequest(), timeout,
      [this, ksn](const ksn_channel::Answer& answer, const Way&) -> Result<> {
        v1::HelloReply reply;
        PICKET_TRY(read_greeting(answer.body, ksn, reply));
        const auto skew = clock_ahead(reply, host_.now());
        if (skew > picket::ksn::kClockSkewSeconds || skew < -picket::ksn::kClockSkewSeconds)
          host_.log(true, cat("this computer's clock and KSN's differ by ", std::to_string(skew), " s: answers may be refused as out of date"));
        return {};
      },
      [ended](const Result<>&) { ended(); });
}

void Client::send_from_outbox() {
  auto message = outbox_->next(forbids("statistics").empty(), forbids("content").empty(), host_.now());
  if (!message) return;
  std::chrono::milliseconds timeout;
  std::uint64_t beginnings = 0;
  {
    const std::lock_guard lock(mutex_);
    outbox_busy_ = true;
    beginnings = beginnings_;
    timeout = std::max<std::chrono::milliseconds>(settings_.request_timeout, message->is_content() ? 60s : 10s);
  }
  auto shared = std::make_shared<const Outbox::Message>(std::move(*message));
  auto held = std::make_shared<v1::ContentReply>();
  // A page of a web server before KSN says nothing of the message: it is kept.
  const auto accept = [held, content = shared->is_content()](const ksn_channel::Answer& answer, const Way&) -> Result<> {
    if (content ? !held->ParseFromString(answer.body) : !v1::Accepted().ParseFromString(answer.body)) return fail(Code::unavailable, "its answer is malformed");
    return {};
  };
  const auto done = [this, shared, held, beginnings](Result<> result) { sent_from_outbox(*shared, beginnings, std::move(result), shared->is_content() ? held.get() : nullptr); };
  const auto is_void = [this, shared] { return outbox_->is_void(*shared); };  // another KSN may be in use since it was taken
  if (shared->is_content()) gate_->post("content", shared->path, shared->content, timeout, accept, done, is_void);
  else gate_->post("statistics", shared->path, shared->statistics, timeout, accept, done, is_void);
}

void Client::sent_from_outbox(const Outbox::Message& message, std::uint64_t beginnings, Result<> result, const v1::ContentReply* reply) {
  const auto now = host_.now();
  const bool unwanted = !result && (result.error().code == Code::conflict || result.error().code == Code::invalid);
  {
    const std::lock_guard lock(mutex_);
    // What was cleared meanwhile is gone: nothing of it comes back.
    if (!situation_.is_on()) {
      outbox_busy_ = false;
      return;
    }
  }
  if (result) outbox_->sent(message, reply, now);
  else if (unwanted) outbox_->given_up(message);
  else outbox_->failed(message);
  const bool is_void = outbox_->is_void(message);
  const std::lock_guard lock(mutex_);
  outbox_busy_ = false;
  // What failed on the roads before says nothing of those there are now.
  outbox_rests_until_ = result || unwanted || is_void || beginnings != beginnings_ ? 0 : now + std::max<std::int64_t>(1, std::min<std::int64_t>(settings_.heartbeat.count(), 300));
  wake_ = true;
  tick_.notify_all();
}

std::map<std::string, std::uint64_t> Client::sums() const {
  const auto& checked = checker_->counters();
  const auto asked = broker_->counters();
  std::map<std::string, std::uint64_t> out{
      {"files", checked.files},         {"addresses", checked.addresses}, {"software", checked.software}, {"from_local", checked.local},
      {"from_cache", checked.cached},   {"from_network", checked.network}, {"unanswered", checked.unanswered}, {"trusted", checked.trusted},
      {"abusable", checked.abusable},   {"untrusted", checked.untrusted}, {"unknown", checked.unknown},   {"questions", asked.asked},
      {"merged", asked.merged},         {"batches", asked.batches}};
  const std::lock_guard lock(mutex_);
  out["exchanges"] = exchanges_;
  out["failures"] = failures_;
  return out;
}

}  // namespace ksn_client
