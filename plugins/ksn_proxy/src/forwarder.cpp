#include "forwarder.hpp"

#include <algorithm>

#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
namespace v1 = picket::ksn::v1;
using SteadyClock = std::chrono::steady_clock;

void refuse_with(ksn_server::Reply reply, v1::Refusal::Why why, std::string_view text, std::uint32_t retry = 0) {
  std::move(reply).send(ksn_server::http_status(why), ksn_server::refusal(why, text, retry));
}

const char* path_of(MessageKind kind) { return kind == MessageKind::statistics ? "/ksn/v1/statistics" : "/ksn/v1/content"; }

// What a KSN says of itself, or of a message. Else somebody before it speaks, and the message may still be wanted, but for what even he finds
// wrong with the message.
bool is_an_answer(MessageKind kind, const Posted& posted) {
  return posted.status == 400 || posted.status == 413 || (posted.status < 500 && posted.status != 429 && is_word_of_ksn(path_of(kind), posted));
}

}  // namespace

Forwarder::Forwarder(ForwarderSettings settings, Parts parts, Outbox outbox, const std::filesystem::path& own)
    : settings_(std::move(settings)), parts_(std::move(parts)), outbox_(std::move(outbox)), leftovers_(settings_.folder, own, parts_.warn) {}

Result<std::unique_ptr<Forwarder>> Forwarder::start(ForwarderSettings settings, Parts parts) {
  std::vector<Part> parts_that_wait;
  PICKET_LET(own, outbox_folder(settings.folder, settings.ksn));
  PICKET_LET(outbox, Outbox::open(own, settings.limits, [&](const Message& message) { parts_that_wait.push_back(part_of(message)); }));
  std::unique_ptr<Forwarder> out(new Forwarder(std::move(settings), std::move(parts), std::move(outbox), own));
  for (auto& part : parts_that_wait) out->waiting_.remember(std::move(part));
  out->counters_.outbox = out->outbox_.counters();
  if (const auto& found = out->counters_.outbox; found.damaged > 0)
    out->parts_.warn(cat(std::to_string(found.damaged), " places in the messages that wait cannot be read (", std::to_string(found.damaged_bytes), " bytes are put aside as *.damaged)"));
  out->leftovers_.keep_within(out->outbox_.bytes_with({}), out->settings_.limits.bytes);
  out->thread_ = std::thread([&forwarder = *out] { forwarder.run(); });
  return out;
}

Forwarder::~Forwarder() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    sends_ = false;
    wakes_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Forwarder::stop_sending() {
  const std::lock_guard lock(mutex_);
  sends_ = false;
}

void Forwarder::say(std::string_view text) {
  const auto now = SteadyClock::now();
  {
    const std::lock_guard lock(mutex_);
    if (now < next_word_) return;
    next_word_ = now + std::chrono::minutes(1);
  }
  parts_.warn(text);
}

// ---- from devices

void Forwarder::statistics(std::string_view body, std::string_view peer, ksn_server::Reply reply) {
  v1::StatisticsRequest request;
  if (!request.ParseFromArray(body.data(), static_cast<int>(body.size())) || request.id().size() != 16)
    return refuse_with(std::move(reply), v1::Refusal::MALFORMED, "this is no StatisticsRequest with an id of 16 bytes");
  bool passes = parts_.upstream.rests_for() == 0;
  {
    const std::lock_guard lock(mutex_);
    passes = passes && sends_ && passing_bytes_ < settings_.most_queued_bytes;
  }
  From from{std::string(peer), request.asker().licence(), std::move(reply)};
  if (passes) pass_on(MessageKind::statistics, std::string(body), std::move(from));
  else store(MessageKind::statistics, std::string(body), std::move(from));
}

void Forwarder::content(std::string_view body, std::string_view peer, ksn_server::Reply reply) {
  v1::ContentRequest request;
  if (!request.ParseFromArray(body.data(), static_cast<int>(body.size()))) return refuse_with(std::move(reply), v1::Refusal::MALFORMED, "this is no ContentRequest");
  if (const char* why = wrong_with(request); why != nullptr) return refuse_with(std::move(reply), v1::Refusal::MALFORMED, why);
  bool passes = parts_.upstream.rests_for() == 0;
  std::optional<std::uint64_t> held;
  {
    const std::lock_guard lock(mutex_);
    // What waits here of this piece must arrive first.
    held = waiting_.held_of({request.digest(), request.first()});
    passes = passes && sends_ && !held && passing_bytes_ < settings_.most_queued_bytes;
  }
  From from{std::string(peer), request.asker().licence(), std::move(reply)};
  if (!passes && request.part().empty()) {
    if (!is_turned_away(from)) std::move(from.reply).send(200, held_answer(request, held.value_or(0)));
    return;
  }
  if (passes) pass_on(MessageKind::content, std::string(body), std::move(from));
  else store(MessageKind::content, std::string(body), std::move(from));
}

void Forwarder::pass_on(MessageKind kind, std::string body, From from) {
  struct Passing {
    std::string body;
    From from;
  };
  auto held = std::make_shared<Passing>(Passing{std::move(body), std::move(from)});
  {
    const std::lock_guard lock(mutex_);
    passing_bytes_ += held->body.size();
  }
  parts_.upstream.post(path_of(kind), held->body, settings_.deadline, [this, kind, held](Result<Posted> posted) {
    {
      const std::lock_guard lock(mutex_);
      passing_bytes_ -= held->body.size();
    }
    if (posted && is_an_answer(kind, *posted)) {
      {
        const std::lock_guard lock(mutex_);
        ++(posted->status == 200 ? counters_.passed_on : counters_.refused_by_ksn);
        if (posted->status == 200) taken();
      }
      return std::move(held->from.reply).send(posted->status, std::move(posted->body));
    }
    // It may have arrived all the same: what came twice counts once.
    store(kind, std::move(held->body), std::move(held->from));
  });
}

bool Forwarder::is_turned_away(From& from) {
  int status = 0;
  auto refusal = parts_.why_not_kept ? parts_.why_not_kept(from.licence, status) : std::string();
  if (refusal.empty()) return false;
  {
    const std::lock_guard lock(mutex_);
    ++counters_.no_licence;
  }
  std::move(from.reply).send(status, std::move(refusal));
  return true;
}

void Forwarder::store(MessageKind kind, std::string body, From from) {
  if (is_turned_away(from)) return;
  std::unique_lock lock(mutex_);
  if (queue_.size() >= settings_.most_queued || queued_bytes_ + body.size() > settings_.most_queued_bytes) {
    ++counters_.no_room;
    lock.unlock();
    return refuse_with(std::move(from.reply), v1::Refusal::UNAVAILABLE, "the proxy cannot write so fast", 5);
  }
  if (waiting_.share_of(from.peer) + body.size() > settings_.most_per_address) {
    ++counters_.no_room;
    lock.unlock();
    return refuse_with(std::move(from.reply), v1::Refusal::TOO_MANY, cat("as much waits here of this device as may wait of one (", std::to_string(settings_.most_per_address), " bytes)"), 60);
  }
  waiting_.give(from.peer, body.size());
  queued_bytes_ += body.size();
  queue_.push_back({{kind, parts_.now(), std::move(body)}, std::move(from)});
  wakes_.notify_one();
}

// ---- the thread

// Also true of a part that leaves a gap: the device is told where to go on.
bool Forwarder::already_has(const Message& message, std::string& answer) {
  if (message.kind != MessageKind::content) return false;
  v1::ContentRequest content;
  if (!content.ParseFromString(message.body)) return false;
  const std::lock_guard lock(mutex_);
  const auto held = waiting_.held_of({content.digest(), content.first()});
  const auto end = content.offset() + content.part().size();
  // Of a piece that nothing waits of, the KSN has told the device where to go on; or it begins.
  const auto until = held.value_or(content.offset());
  const bool has = held && (content.offset() > until || end <= until);
  answer = held_answer(content, has ? until : std::max(until, end));
  return has || content.part().empty();
}

void Forwarder::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!queue_.empty()) {
      auto queued = std::exchange(queue_, {});
      queued_bytes_ = 0;
      lock.unlock();
      write(std::move(queued));
      lock.lock();
      continue;
    }
    if (over_) return;
    if (is_taken_ && !settings_.ksn.empty() && leftovers_.has_others()) {
      lock.unlock();
      const auto given_up = leftovers_.give_up_others("another KSN has taken what came since");
      lock.lock();
      counters_.expired += given_up;
      continue;
    }
    if (sent_) {
      const auto posted = std::move(sent_);
      in_flight_ = false;
      lock.unlock();
      on_sent(std::move(*posted));
      lock.lock();
      continue;
    }
    const bool has_more = sends_ && !in_flight_ && outbox_.counters().waiting > 0;
    if (has_more && SteadyClock::now() >= next_try_) {
      in_flight_ = true;
      lock.unlock();
      send_oldest();
      lock.lock();
    } else if (has_more) {
      wakes_.wait_until(lock, next_try_);
    } else {
      wakes_.wait(lock);
    }
  }
}

void Forwarder::taken() {
  if (!std::exchange(is_taken_, true)) wakes_.notify_one();
}

void Forwarder::make_room(const Message& message) {
  const auto room = leftovers_.make_room(outbox_.bytes_with(message), settings_.limits.bytes);
  outbox_.set_limit(room.bytes);
  if (room.given_up == 0) return;
  const std::lock_guard lock(mutex_);
  counters_.expired += room.given_up;
}

void Forwarder::write(std::vector<Queued> queued) {
  struct Answer {
    ksn_server::Reply reply;
    std::string body;
    Result<> taken;
    bool waits_for_disk;
  };
  std::vector<Answer> answers;
  std::uint64_t stored = 0, refused = 0;
  Result<> last;
  for (auto& one : queued) {
    std::string answer;
    const auto bytes = one.message.body.size();
    if (already_has(one.message, answer)) {
      const std::lock_guard lock(mutex_);
      waiting_.give_back(one.from.peer, bytes);
      answers.push_back({std::move(one.from.reply), std::move(answer), {}, true});  // what it has may have come just now
      continue;
    }
    make_room(one.message);
    if (auto appended = outbox_.append(one.message); !appended) {
      last = appended;
      ++refused;
      const std::lock_guard lock(mutex_);
      waiting_.give_back(one.from.peer, bytes);
      answers.push_back({std::move(one.from.reply), {}, std::move(appended), false});
      continue;
    }
    ++stored;
    {
      const std::lock_guard lock(mutex_);
      auto part = part_of(one.message);
      part.peer = std::move(one.from.peer);
      part.bytes = bytes;
      waiting_.remember(std::move(part));
    }
    answers.push_back({std::move(one.from.reply), std::move(answer), {}, true});
  }
  // One flush for all of them. What cannot be promised is refused: the device sends it again, and that counts once.
  const auto synced = stored > 0 ? outbox_.sync() : Result<>();
  if (!synced) last = synced;
  {
    // Before the answers: who was told how a message went finds it counted.
    const std::lock_guard lock(mutex_);
    if (!synced) {
      waiting_.forget_newest(stored);
      refused += std::exchange(stored, 0);
    }
    counters_.stored += stored;
    counters_.no_room += refused;
    counters_.outbox = outbox_.counters();
  }
  for (auto& one : answers) {
    if (one.waits_for_disk) one.taken = synced;
    if (!one.taken) refuse_with(std::move(one.reply), v1::Refusal::UNAVAILABLE, one.taken.error().message, 60);
    else std::move(one.reply).send(200, std::move(one.body));
  }
  if (!last) say(cat("statistics or content of a device was refused: ", last.error().message));
}

// The oldest message has arrived, or is given up.
void Forwarder::done(std::uint64_t ForwarderCounters::*counter, std::string_view why_given_up) {
  const bool arrived = why_given_up.empty();
  if (!arrived) say(why_given_up);
  if (auto dropped = outbox_.drop(); !dropped) say(dropped.error().message);
  refused_.reset();
  const std::lock_guard lock(mutex_);
  if (arrived) taken();
  waiting_.forget_oldest(arrived);
  ++(counters_.*counter);
  counters_.outbox = outbox_.counters();  // with it: a message is never given up and waiting at once
  in_flight_ = false;
}

void Forwarder::send_oldest() {
  auto front = outbox_.front();
  if (!front) return done(&ForwarderCounters::unreadable, cat("a message that waited is lost: ", front.error().message));
  if (!*front) {
    const std::lock_guard lock(mutex_);
    in_flight_ = false;
    return;
  }
  oldest_ = std::move(**front);
  if (parts_.now() - oldest_.taken > settings_.keeps_seconds) return done(&ForwarderCounters::expired, "messages that waited too long for the KSN are given up");
  parts_.upstream.post(path_of(oldest_.kind), oldest_.body, settings_.deadline, [this](Result<Posted> posted) {
    const std::lock_guard lock(mutex_);
    sent_ = std::make_unique<Result<Posted>>(std::move(posted));
    wakes_.notify_one();
  });
}

// True when a server before the KSN refuses the oldest message and it alone: others arrived while it was refused again and again.
bool Forwarder::is_refused_alone() {
  const auto now = SteadyClock::now();
  const std::lock_guard lock(mutex_);
  if (!refused_) refused_ = Refused{now, counters_.passed_on};
  return now - refused_->since >= settings_.patience && counters_.passed_on > refused_->passed_on;
}

void Forwarder::on_sent(Result<Posted> posted) {
  if (!posted || !is_an_answer(oldest_.kind, *posted)) {
    const bool is_strange = posted && posted->status < 500 && posted->status != 429;
    const auto status = is_strange ? std::to_string(posted->status) : "";
    if (is_strange && is_refused_alone())
      return done(&ForwarderCounters::refused_by_ksn, cat("a message that waited is given up: others arrive, to this one the KSN's server answers with HTTP status ", status));
    if (is_strange) say(cat("messages wait: the KSN's server answers with HTTP status ", status, ", which is no word of a KSN"));
    auto pause = std::max<std::chrono::milliseconds>(settings_.pause, std::chrono::seconds(parts_.upstream.rests_for()));
    v1::Refusal refusal;
    if (posted && posted->body.size() < 4096 && refusal.ParseFromString(posted->body))
      pause = std::max<std::chrono::milliseconds>(pause, std::chrono::seconds(std::min(picket::ksn::kLongestRestSeconds, refusal.retry_after_seconds())));
    const std::lock_guard lock(mutex_);
    next_try_ = SteadyClock::now() + pause;
    return;
  }
  if (posted->status != 200) {
    v1::Refusal refusal;
    const bool says_why = posted->body.size() < 4096 && refusal.ParseFromString(posted->body) && !refusal.text().empty();
    return done(&ForwarderCounters::refused_by_ksn, cat("the KSN refuses a message that waited: ", says_why ? refusal.text() : cat("HTTP status ", std::to_string(posted->status))));
  }
  if (v1::ContentRequest content; oldest_.kind == MessageKind::content && content.ParseFromString(oldest_.body)) {
    v1::ContentReply reply;
    if (!reply.ParseFromString(posted->body) || (!reply.complete() && reply.held() < content.offset() + content.part().size()))
      return done(&ForwarderCounters::refused_by_ksn, "the KSN has lost the beginning of a file of which parts waited");
  }
  done(&ForwarderCounters::delivered, {});
}

ForwarderCounters Forwarder::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace ksn_proxy
