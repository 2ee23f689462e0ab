// A KSN in the same process, which signs its answers as a real one does: for what a real one cannot be made to do (lie, hang, count).
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "ksn/answers.hpp"
#include "ksn_server/server.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "upstream.hpp"

namespace picket::ksn_proxy_tests {

namespace v1 = picket::ksn::v1;

inline std::string digest_of(std::uint64_t number) {
  std::string out(32, '\0');
  // Looks like a digest: all of its bytes differ from number to number.
  std::uint64_t state = number * 0x9e3779b97f4a7c15u + 1;
  for (auto& byte : out) {
    state ^= state >> 30, state *= 0xbf58476d1ce4e5b9u, state ^= state >> 27;
    byte = static_cast<char>(state >> 56);
  }
  return out;
}

inline std::string ask_of(const std::vector<std::string>& digests, std::string_view licence = "good", v1::ObjectKind kind = v1::OBJECT_FILE) {
  v1::AskRequest request;
  request.mutable_asker()->set_licence(std::string(licence));
  request.mutable_asker()->set_installation(std::string(16, 'i'));
  for (const auto& digest : digests) {
    if (request.questions_size() == 0 || request.questions(request.questions_size() - 1).length() != digest.size()) {
      request.add_questions()->set_kind(kind);
      request.mutable_questions(request.questions_size() - 1)->set_length(static_cast<std::uint32_t>(digest.size()));
    }
    request.mutable_questions(request.questions_size() - 1)->mutable_digests()->append(digest);
  }
  return request.SerializeAsString();
}

class FakeKsn final : public ksn_proxy::Upstream {
 public:
  FakeKsn() : key_(*trust::PrivateKey::generate("ed25519")) {}

  [[nodiscard]] ksn::Verifier verifier() const { return {{key_.public_key()}, "test", true}; }
  [[nodiscard]] const trust::PublicKey& public_key() const { return key_.public_key(); }

  // ---- what it does
  enum class Mode { answers, away, lies, other_question, other_name, too_few, seals_only_all, empty_seals, refuses_blocked, broken };
  std::atomic<Mode> mode{Mode::answers};
  std::atomic<bool> holds{false};               // posts wait for let_go()
  std::atomic<std::uint32_t> ttl{3600};
  std::atomic<std::int64_t> now{1'800'000'000};
  std::atomic<std::int64_t> ahead{0};           // seconds that its clock is ahead of everybody's
  std::set<std::string> bad_licences{"unknown"};
  std::string wished;                           // bytes 10 to 30 of this file, and of one that nobody asks about, of who is in extended mode

  std::string beside_the_wish;                  // fields that nobody knows

  // ---- what it saw
  std::atomic<std::uint64_t> posts{0}, questions{0}, blamed{0};
  std::atomic<std::uint32_t> rest{0};
  std::atomic<bool> works_again{true};          // false: it failed, rested, and was not tried since
  [[nodiscard]] std::vector<std::string> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  bool wait_for_posts(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, std::chrono::seconds(60), [&] { return posts >= count; });
  }
  // The next post finds nobody, and this happens before it is told so: what was read for it is read.
  void during_the_next_post(std::function<void()> happens) {
    const std::lock_guard lock(mutex_);
    happens_ = std::move(happens);
  }
  void let_go() {
    holds = false;
    std::deque<Held> all;
    {
      const std::lock_guard lock(mutex_);
      all.swap(held_);
    }
    for (auto& one : all) one.done(work(one.path, one.body));
  }

  // ---- Upstream
  void post(std::string_view path, std::string body, std::chrono::milliseconds, Done done) override {
    std::function<void()> happens;
    {
      const std::lock_guard lock(mutex_);
      ++posts;
      happens = std::exchange(happens_, nullptr);
      if (keeps_bodies) bodies_.push_back(body);
      came_.notify_all();
      if (holds) {
        held_.push_back({std::string(path), std::move(body), std::move(done)});
        return;
      }
    }
    if (!happens) return done(work(path, body));
    happens();
    done(fail(Code::unavailable, "no route to host"));
  }
  void blame(const ksn_proxy::Posted&, std::string_view) override { ++blamed; }
  [[nodiscard]] std::uint32_t rests_for() const override { return mode == Mode::away ? std::max(1u, rest.load()) : rest.load(); }
  [[nodiscard]] bool works() const override { return works_again && rests_for() == 0; }
  [[nodiscard]] std::string describe() const override { return "fake"; }
  bool keeps_bodies = true;

  [[nodiscard]] Result<ksn_proxy::Posted> work(std::string_view path, const std::string& body) {
    if (mode == Mode::away) return fail(Code::unavailable, "no route to host");
    if (mode == Mode::broken) return ksn_proxy::Posted{500, "<html>oh</html>"};
    if (mode == Mode::refuses_blocked) return refuse(v1::Refusal::LICENCE_BLOCKED, "the licence is blocked");
    if (path == "/ksn/v1/statistics") return ksn_proxy::Posted{200, v1::Accepted().SerializeAsString()};
    if (path == "/ksn/v1/content") return take_content(body);
    v1::AskRequest request;
    if (v1::HelloRequest hello; path == "/ksn/v1/hello") {
      if (!hello.ParseFromString(body)) return refuse(v1::Refusal::MALFORMED, "no HelloRequest");
      if (bad_licences.contains(hello.asker().licence())) return refuse(v1::Refusal::LICENCE_UNKNOWN, "nobody knows this licence");
      v1::HelloReply reply;
      reply.set_ksn(mode == Mode::other_name ? "somebody" : "test");
      reply.set_private_ksn(true);
      reply.set_now(now);
      return ksn_proxy::Posted{200, reply.SerializeAsString()};
    }
    if (!request.ParseFromString(body)) return refuse(v1::Refusal::MALFORMED, "no AskRequest");
    if (bad_licences.contains(request.asker().licence())) return refuse(v1::Refusal::LICENCE_UNKNOWN, "nobody knows this licence");
    return ksn_proxy::Posted{200, answer(request)};
  }

  [[nodiscard]] std::string answer(const v1::AskRequest& request) {
    v1::AskReply reply;
    std::deque<std::string> others;
    auto asked = ksn::questions_of(request);
    for (auto& question : asked) {
      if (mode == Mode::other_question) {
        question.asked = others.emplace_back(question.asked);
        others.back().back() = static_cast<char>(others.back().back() + 1);
      }
      if (question.asked.size() == 32) {
        v1::Facts facts;
        const bool bad = (question.asked[0] & 1) != 0;
        facts.set_verdict(bad ? v1::VERDICT_UNTRUSTED : v1::VERDICT_UNKNOWN);
        if (bad) facts.set_category("malware"), facts.set_threat("Test.Threat");
        facts.set_ttl_seconds(ttl);
        reply.add_answers()->set_said(facts.SerializeAsString());
      } else {
        v1::UnderPrefix list;
        list.set_ttl_seconds(ttl);
        auto& found = *list.add_found();
        found.set_digest(std::string(question.asked) + std::string(32 - question.asked.size(), 'f'));
        found.mutable_facts()->set_verdict(v1::VERDICT_UNTRUSTED);
        reply.add_answers()->set_said(list.SerializeAsString());
      }
      ++questions;
    }
    if (mode == Mode::too_few && !asked.empty()) asked.pop_back(), reply.mutable_answers()->RemoveLast();
    const bool each = request.each_sealed() && mode != Mode::seals_only_all && mode != Mode::empty_seals;
    if (!ksn::seal(reply, asked, mode == Mode::other_name ? "somebody" : "test", true, now + ahead, key_, each)) std::abort();
    for (auto& one : *reply.mutable_answers())
      if (mode == Mode::empty_seals) one.mutable_seal()->set_issued(now + ahead);
    if (mode == Mode::lies && !asked.empty()) {
      auto& said = *reply.mutable_answers(reply.answers_size() - 1)->mutable_said();
      said.back() = static_cast<char>(said.back() ^ 1);
    }
    if (request.asker().extended() && !wished.empty()) {
      for (const auto& digest : {wished, digest_of(424'242)}) {
        auto& wish = *reply.add_wishes();
        wish.set_digest(digest);
        wish.set_first(10);
        wish.set_bytes(20);
        wish.MergeFromString(beside_the_wish);
      }
    }
    return reply.SerializeAsString();
  }

  // How much of each piece came.
  [[nodiscard]] std::uint64_t held_of(const std::string& digest) const {
    const std::lock_guard lock(mutex_);
    const auto found = content_.find(digest);
    return found == content_.end() ? 0 : found->second.size();
  }

 private:
  struct Held {
    std::string path, body;
    Done done;
  };
  [[nodiscard]] static ksn_proxy::Posted refuse(v1::Refusal::Why why, std::string_view text) { return {ksn_server::http_status(why), ksn_server::refusal(why, text)}; }
  [[nodiscard]] ksn_proxy::Posted take_content(const std::string& body) {
    v1::ContentRequest request;
    if (!request.ParseFromString(body)) return refuse(v1::Refusal::MALFORMED, "no ContentRequest");
    const std::lock_guard lock(mutex_);
    auto& have = content_[request.digest()];
    if (request.offset() <= have.size() && request.offset() + request.part().size() > have.size()) have += request.part().substr(have.size() - request.offset());
    v1::ContentReply reply;
    reply.set_held(have.size());
    reply.set_complete(have.size() == request.size());
    return {200, reply.SerializeAsString()};
  }

  const trust::PrivateKey key_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Held> held_;
  std::function<void()> happens_;
  std::vector<std::string> bodies_;
  std::map<std::string, std::string> content_;
};

// What a reply brought; wait() for it.
class Answered {
 public:
  std::string asked{};  // the AskRequest
  [[nodiscard]] ksn_server::Reply reply() {
    return ksn_server::Reply::to([state = state_](int status, std::string body) {
      const std::lock_guard lock(state->mutex);
      ++state->count;
      state->status = status;
      state->body = std::move(body);
      state->came.notify_all();
    });
  }
  // 0: nothing came in time.
  int wait(std::chrono::milliseconds limit = std::chrono::seconds(60)) {
    std::unique_lock lock(state_->mutex);
    state_->came.wait_for(lock, limit, [&] { return state_->count > 0; });
    return state_->status;
  }
  [[nodiscard]] bool came() const {
    const std::lock_guard lock(state_->mutex);
    return state_->count > 0;
  }
  [[nodiscard]] const std::string& body() const { return state_->body; }
  template <class T>
  [[nodiscard]] T as() const {
    T out;
    if (!out.ParseFromString(state_->body)) out.Clear();
    return out;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable came;
    int count = 0, status = 0;
    std::string body;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace picket::ksn_proxy_tests
