#include "reputation.hpp"

#include <algorithm>
#include <utility>

#include "ksn/check.hpp"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/state.pb.h"
#include "text.hpp"

namespace scanner {
namespace {

namespace ksn = picket::ksn::v1;

constexpr std::chrono::seconds kRest(10);          // each further batch would wait in vain
constexpr std::chrono::milliseconds kGrace(500);   // the bus ends a question in time; should it not, we do

// An exclusion says that nobody may be asked, and nothing of the file.
bool is_excluded(const ksn::Checked& checked) { return checked.from() == ksn::Checked::LOCAL && !checked.why().empty(); }

Ksn verdict_of(const ksn::Checked& checked) {
  if (checked.from() == ksn::Checked::NOBODY) return Ksn::unanswered;
  if (is_excluded(checked)) return Ksn::not_asked;
  switch (checked.facts().verdict()) {
    case ksn::VERDICT_TRUSTED: return Ksn::trusted;
    case ksn::VERDICT_ABUSABLE: return Ksn::abusable;
    case ksn::VERDICT_UNTRUSTED: return Ksn::untrusted;
    default: return Ksn::unknown;
  }
}

std::string does_not_answer(const std::string& why) { return "KSN does not answer (" + why + ")"; }

}  // namespace

void Reputation::start() {
  asker_.start();
  const std::lock_guard lock(mutex_);
  in_use_ = knows_ = unavailable_ = false;
  said_ = "no plugin has said so";
  failure_.clear();
  rest_until_ = {};
}

void Reputation::on_state(std::string_view payload) {
  ksn::KsnState state;
  const bool readable = state.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
  {
    const std::lock_guard lock(mutex_);
    const bool was_in_use = std::exchange(in_use_, readable && state.in_use());
    knows_ = readable && state.knows();
    const bool was_unavailable = std::exchange(unavailable_, readable && state.status() == "Enabled. Not available");
    said_ = readable ? printable(state.text(), 200) : "what was said about it cannot be read";
    rest_until_ = {};  // something changed: worth a try
    if (!in_use_ || !was_in_use || (was_unavailable && !unavailable_)) failure_.clear();
  }
  changed_();
}

bool Reputation::is_asked() const {
  const std::lock_guard lock(mutex_);
  return (in_use_ || knows_) && std::chrono::steady_clock::now() >= rest_until_;
}

std::string Reputation::trouble() const {
  const std::lock_guard lock(mutex_);
  if (!in_use_) return said_.empty() ? "KSN is not in use" : "KSN is not in use (" + said_ + ")";
  if (!failure_.empty()) return does_not_answer(failure_);
  return unavailable_ ? "KSN is not available (" + said_ + ")" : std::string();
}

std::string Reputation::failed(std::string why, bool rest) {
  auto out = does_not_answer(why);
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = failure_ != why;
    failure_ = std::move(why);
    if (rest) rest_until_ = std::chrono::steady_clock::now() + kRest;
  }
  if (news) changed_();
  return out;
}

void Reputation::answered() {
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = !failure_.empty();
    failure_.clear();
    rest_until_ = {};
  }
  if (news) changed_();
}

Reputation::Answers Reputation::ask(std::span<const Question> questions, std::chrono::milliseconds limit, const std::atomic<bool>& cancelled) {
  Answers out{std::vector<Answer>(questions.size()), {}};
  if (questions.empty()) return out;
  {
    const std::lock_guard lock(mutex_);
    out.known_only = !in_use_;
  }
  if (!is_asked()) {
    out.trouble = trouble();
    return out;
  }
  ksn::CheckRequest request;
  request.set_known_only(out.known_only);
  for (const auto& question : questions) {
    auto& object = *request.add_objects();
    object.set_file_digest(question.digest.data(), question.digest.size());
    object.set_path(std::string(question.path));
  }
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto reply = picket::ksn::check(request, [&](const ksn::CheckRequest& some) -> picket::Result<ksn::CheckReply> {
    const auto left = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()), std::chrono::milliseconds(1));
    const auto payload = some.SerializeAsString();
    PICKET_LET(answer, asker_.call({.topic = "picket.ksn.check", .content_type = "application/x-protobuf; messageType=picket.ksn.v1.CheckRequest", .payload = payload, .timeout = left}, cancelled, {}, 0,
                                   left + kGrace));
    ksn::CheckReply out;
    if (!out.ParseFromString(answer)) return picket::fail(picket::Code::invalid, "its answer cannot be read");
    return out;
  });
  if (!reply) {
    if (reply.error().code != picket::Code::cancelled) out.trouble = failed(printable(reply.error().message, 200), true);
    if (out.known_only) out.trouble = trouble();
    return out;
  }
  std::string why;
  bool by_ksn = false;
  for (int i = 0; i < reply->checked_size(); ++i) {
    const auto& checked = reply->checked(i);
    by_ksn = by_ksn || checked.from() == ksn::Checked::PROXY || checked.from() == ksn::Checked::SERVER;
    out.each[static_cast<std::size_t>(i)] = {verdict_of(checked), printable(checked.facts().category(), 100), printable(checked.facts().threat(), 300), printable(checked.ksn(), 100), is_excluded(checked)};
    if (checked.from() == ksn::Checked::NOBODY && why.empty()) why = checked.why().empty() ? reply->status() : checked.why();
    if (checked.from() == ksn::Checked::NOBODY && why.empty()) why = "without a reason";
  }
  if (out.known_only && !why.empty()) out.trouble = trouble();
  else if (!why.empty()) out.trouble = failed(printable(why, 200), false);  // its client answers at once: no need to spare it
  else if (by_ksn) answered();  // what the client knew itself says nothing of KSN
  return out;
}

}  // namespace scanner
