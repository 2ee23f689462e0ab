// The private KSN over a real Redis cluster of three nodes: what it answers, and what it says when a node is gone.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "base/files.hpp"
#include "ksn/answers.hpp"
#include "ksn_store/redis_cluster.hpp"
#include "ksn_store/store.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "service.hpp"
#include "support/redis_cluster.hpp"

namespace ksn_service {
namespace {

using picket::ksn_store::Row;
using Clock = std::chrono::steady_clock;

constexpr int kObjects = 3000;

std::string digest_of(std::uint64_t n) {
  std::mt19937_64 random(n);
  std::string out;
  for (int i = 0; i < 32; ++i) out += static_cast<char>(random());
  return out;
}
int verdict_of(std::uint64_t n) { return 1 + static_cast<int>(n % 3); }

class KsnRedis : public testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }  // as picketd does
  void SetUp() override { begin({}); }
  void begin(const picket::support::RedisNodes::Options& options) {
    store_.reset();
    nodes_.reset();
    auto nodes = picket::support::RedisNodes::start(3, options);
    ASSERT_TRUE(nodes) << nodes.error().message;
    how_.clear();
    if (!options.password.empty()) {
      ASSERT_TRUE(picket::write_file_atomic(folder_ / "password", options.password + "\n", 0600));
      how_ += ";auth=" + (folder_ / "password").native();
    }
    if (options.tls) how_ += ";tls=" + (*nodes)->certificate();
    nodes_ = std::move(*nodes);
    auto store = picket::ksn_store::open_store(where());
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    std::vector<Row> rows;
    for (std::uint64_t i = 0; i < kObjects; ++i) rows.push_back(picket::ksn_store::row_of(digest_of(i), {verdict_of(i), "category", "threat " + std::to_string(i), {}, {}, i, 0, {}}));
    const auto put = store_->put(v1::OBJECT_FILE, rows);
    ASSERT_TRUE(put) << put.error().message;
    ASSERT_TRUE(store_->put_licence({"good", false, 0, "Example"}));
    ASSERT_TRUE(store_->put_licence({"blocked", true, 7, ""}));
  }
  std::string where() const { return "redis:" + nodes_->address(0) + "," + nodes_->address(1) + how_; }
  static unsigned slot(std::uint64_t n) { return picket::ksn_store::slot_of("o1" + digest_of(n).substr(0, 4)); }
  // What is wrong with the store's answers to these; empty: nothing.
  std::string wrong(const std::vector<std::uint64_t>& objects) {
    std::string digests;
    for (const auto n : objects) digests += digest_of(n);
    picket::ksn_store::Batch batch;
    if (auto looked = store_->look_up(v1::OBJECT_FILE, digests, batch); !looked) return looked.error().message;
    for (std::size_t i = 0; i < objects.size(); ++i) {
      const bool known = objects[i] < kObjects;
      v1::Facts facts;
      if (!facts.ParseFromString(std::string(batch.facts(i)))) return "malformed";
      if (known != (batch.of[i].size != 0) || (known && (facts.verdict() != verdict_of(objects[i]) || facts.threat() != "threat " + std::to_string(objects[i])))) return "object " + std::to_string(objects[i]) + " is wrong";
    }
    return {};
  }

  picket::support::ServerFolder folder_;
  std::unique_ptr<picket::support::RedisNodes> nodes_;
  std::string how_;  // password and TLS, as the setting says them
  std::unique_ptr<picket::ksn_store::Store> store_;
};

class KsnRedisTls : public KsnRedis {
 protected:
  void SetUp() override { begin({.tls = true, .replicas = false, .password = "s3cret words"}); }
};
class KsnRedisReplicas : public KsnRedis {
 protected:
  void SetUp() override { begin({.tls = true, .replicas = true, .password = {}}); }
};

TEST_F(KsnRedisTls, keeps_and_answers_by_tls_and_password) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < kObjects + 100; ++i) all.push_back(i);
  EXPECT_EQ(wrong(all), "");
  EXPECT_EQ(store_->name(), "Redis cluster " + nodes_->address(0) + "," + nodes_->address(1) + " (TLS)");
  EXPECT_EQ(store_->licences()->size(), 2u);
}

TEST_F(KsnRedisTls, says_what_is_wrong_with_password_certificate_or_road) {
  const auto said = [&](const std::string& how) {
    const auto store = picket::ksn_store::open_store("redis:" + nodes_->address(0) + how);
    if (!store) return store.error().message;
    picket::ksn_store::Batch batch;
    const auto looked = (*store)->look_up(v1::OBJECT_FILE, digest_of(1), batch);
    return looked ? std::string("answered") : looked.error().message;
  };
  const auto tls = ";tls=" + nodes_->certificate(), auth = ";auth=" + (folder_ / "password").native();
  EXPECT_EQ(said(tls + auth), "answered");
  EXPECT_NE(said(tls).find("NOAUTH"), std::string::npos) << said(tls);
  ASSERT_TRUE(picket::write_file_atomic(folder_ / "wrong", "wrong", 0600));
  const auto wrong_password = said(tls + ";auth=" + (folder_ / "wrong").native());
  EXPECT_NE(wrong_password.find("WRONGPASS"), std::string::npos) << wrong_password;
  EXPECT_NE(said(";tls" + auth).find("its certificate: self-signed certificate"), std::string::npos) << said(";tls" + auth);
  EXPECT_NE(said(auth), "answered");  // in the clear
  EXPECT_NE(said(";tls=/nonexistent/ca").find("/nonexistent/ca"), std::string::npos);
  EXPECT_NE(said(";password=1").find("'password=1' is none of"), std::string::npos) << said(";password=1");
}

TEST_F(KsnRedisReplicas, go_on_when_a_master_is_gone) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < kObjects; ++i) all.push_back(i);
  EXPECT_EQ(wrong(all), "");
  nodes_->kill(1);
  const auto killed = Clock::now();
  std::string last;
  while (!(last = wrong(all)).empty() && Clock::now() < killed + std::chrono::seconds(60)) EXPECT_EQ(last.find("is wrong"), std::string::npos) << last;
  EXPECT_EQ(last, "");
  std::printf("all answers again %.1f s after a master was killed\n", std::chrono::duration<double>(Clock::now() - killed).count());
  std::vector<Row> rows{picket::ksn_store::row_of(digest_of(1), {verdict_of(1), "category", "threat 1", {}, {}, 0, 0, {}})};
  EXPECT_TRUE(store_->put(v1::OBJECT_FILE, rows));  // and takes what is new
}

TEST_F(KsnRedis, knows_what_was_put_wherever_it_lies) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < kObjects + 100; ++i) all.push_back(i);
  EXPECT_EQ(wrong(all), "");
  const auto under = store_->under(v1::OBJECT_FILE, digest_of(5).substr(0, 7), 10);
  ASSERT_TRUE(under) << under.error().message;
  ASSERT_EQ(under->size(), 1u);
  EXPECT_EQ((*under)[0].digest, digest_of(5));
  EXPECT_TRUE(store_->under(v1::OBJECT_FILE, "none", 10)->empty());
  std::vector<Row> crowd;
  for (char c = 'a'; c < 'm'; ++c) crowd.push_back(picket::ksn_store::row_of("same" + std::string(28, c), {3, {}, {}, {}, {}, 0, 0, {}}));
  ASSERT_TRUE(store_->put(v1::OBJECT_ADDRESS, crowd));
  EXPECT_EQ(store_->under(v1::OBJECT_ADDRESS, "same", 12)->size(), 12u);
  EXPECT_EQ(store_->under(v1::OBJECT_ADDRESS, "same", 11).error().code, picket::Code::too_large);
  const std::vector<std::string> gone{digest_of(3), digest_of(999'999)};
  EXPECT_EQ(store_->remove(v1::OBJECT_FILE, gone).value(), 1u);
  EXPECT_NE(wrong({3}), "");

  EXPECT_EQ(store_->licence("good").value()->holder, "Example");
  EXPECT_TRUE(store_->licence("blocked").value()->blocked);
  EXPECT_EQ(store_->licence("blocked").value()->expires, 7);
  EXPECT_FALSE(store_->licence("other").value());
  EXPECT_EQ(store_->licences()->size(), 2u);
  EXPECT_TRUE(store_->count({std::string(16, '1'), "2026-11-21", {{"scans", 5}}}).value());
  EXPECT_FALSE(store_->count({std::string(16, '1'), "2026-11-22", {{"scans", 5}}}).value());
  EXPECT_TRUE(store_->count({std::string(16, '2'), "2026-11-21", {{"scans", 2}}}).value());
  EXPECT_EQ(store_->counted().value()["2026-11-21"]["scans"], 7u);
}

TEST_F(KsnRedis, follows_a_slot_that_moves_and_one_that_has_moved) {
  EXPECT_EQ(wrong({0}), "");
  const auto moving = slot(0);
  const auto from = nodes_->node_of_slot(moving), to = (from + 1) % 3;
  const auto number = std::to_string(moving);
  const auto said = [&](std::size_t node, const std::vector<std::string>& words) {
    const auto answer = nodes_->say(node, words);
    EXPECT_TRUE(answer) << "node " << node << ", " << words[0] << ": " << answer.error().message;
    return answer.value_or("");
  };
  const auto address = nodes_->address(to);
  const auto migrate = [&](std::uint64_t n) { said(from, {"MIGRATE", "127.0.0.1", address.substr(address.find(':') + 1), "o1" + digest_of(n).substr(0, 4), "0", "5000"}); };
  std::vector<std::uint64_t> others;  // in the same slot
  for (std::uint64_t i = 1; i < kObjects; ++i)
    if (slot(i) == moving) others.push_back(i);
  ASSERT_FALSE(others.empty()) << "nothing would be left in the slot while it moves";
  std::vector<std::uint64_t> asked{0, 1, 2};
  asked.insert(asked.end(), others.begin(), others.end());

  const auto from_id = said(from, {"CLUSTER", "MYID"}), to_id = said(to, {"CLUSTER", "MYID"});
  said(to, {"CLUSTER", "SETSLOT", number, "IMPORTING", from_id});
  said(from, {"CLUSTER", "SETSLOT", number, "MIGRATING", to_id});
  migrate(0);
  EXPECT_EQ(wrong(asked), "");  // ASK for the one that has gone, not for the others
  // A node that still holds a key does not give the slot away, unless it hears of the new owner first: then it throws the key away.
  for (const auto n : others) migrate(n);
  ASSERT_EQ(said(from, {"CLUSTER", "COUNTKEYSINSLOT", number}), "0");
  for (const auto node : {to, from}) said(node, {"CLUSTER", "SETSLOT", number, "NODE", to_id});
  EXPECT_EQ(wrong(asked), "");  // MOVED
  EXPECT_EQ(wrong({0}), "");
}

TEST_F(KsnRedis, one_node_killed_under_load_gives_refusals_no_wrong_verdict_and_comes_back) {
  const auto key = picket::trust::PrivateKey::generate("ed25519").value();
  ServiceSettings settings;
  settings.name = "example";
  settings.store = where();
  settings.installation_per_minute = settings.address_per_minute = 0;
  std::mutex mutex;
  std::vector<bool> told;
  Service service(settings, Signer::from_pem(key.to_pem().value()).value(), [&](bool good, const std::string&) {
    const std::lock_guard lock(mutex);
    told.push_back(good);
  }, [] { return std::int64_t{1'800'000'000}; });

  const std::size_t dead = nodes_->node_of_slot(picket::ksn_store::slot_of("licence:good")) == 1 ? 2 : 1;  // else every question is refused for its licence
  std::array<std::vector<std::uint64_t>, 2> objects;  // of the nodes that live, of the one that dies
  for (std::uint64_t i = 0; i < kObjects + 500; ++i) objects[nodes_->node_of_slot(slot(i)) == dead ? 1 : 0].push_back(i);
  std::atomic<bool> ended{false};
  std::atomic<std::uint64_t> wrong_answers{0}, good_live{0}, good_dead{0}, refused_live{0}, refused_dead{0};
  // Every verdict of every answer is compared with what was put.
  const auto ask = [&](const std::vector<std::uint64_t>& from, std::mt19937_64& random, const picket::ksn::Verifier& verifier) {
    v1::AskRequest request;
    request.mutable_asker()->set_licence("good");
    auto* questions = request.add_questions();
    questions->set_kind(v1::OBJECT_FILE);
    questions->set_length(32);
    std::vector<std::uint64_t> asked;
    for (int i = 0; i < 50; ++i) questions->mutable_digests()->append(digest_of(asked.emplace_back(from[random() % from.size()])));
    const auto response = service.handle("/ksn/v1/ask", request.SerializeAsString(), "192.0.2.7");
    if (response.status != 200) {
      v1::Refusal refusal;
      if (response.status != 503 || !refusal.ParseFromString(response.body) || refusal.why() != v1::Refusal::UNAVAILABLE) ++wrong_answers;
      return false;
    }
    v1::AskReply reply;
    if (!reply.ParseFromString(response.body)) return ++wrong_answers, true;
    const auto proven = verifier.verify(reply, picket::ksn::questions_of(request), 1'800'000'000);
    if (!proven) return ++wrong_answers, true;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      v1::Facts facts;
      const bool good = facts.ParseFromString(std::string((*proven)[i].said)) && facts.verdict() == (asked[i] < kObjects ? verdict_of(asked[i]) : 0);
      if (!good) ++wrong_answers;
    }
    return true;
  };
  std::vector<std::thread> load;
  for (unsigned t = 0; t < 4; ++t)
    load.emplace_back([&, t] {
      std::mt19937_64 random(t);
      const picket::ksn::Verifier verifier({key.public_key()}, "example", true);
      for (unsigned turn = t; !ended; ++turn) {
        const bool of_dead = turn % 2 == 1;
        const bool answered = ask(objects[of_dead], random, verifier);
        ++(answered ? (of_dead ? good_dead : good_live) : (of_dead ? refused_dead : refused_live));
      }
    });
  const auto until = [&](const std::atomic<std::uint64_t>& counter, std::uint64_t more) {
    const auto wanted = counter + more;
    const auto deadline = Clock::now() + std::chrono::seconds(60);
    while (counter < wanted && Clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return counter >= wanted;
  };
  EXPECT_TRUE(until(good_dead, 20) && until(good_live, 20));
  nodes_->kill(dead);
  EXPECT_TRUE(until(refused_dead, 4)) << "questions to the dead node must be refused";
  EXPECT_TRUE(until(good_live, 20)) << "the others go on";
  const auto good_before = good_dead.load();
  ASSERT_TRUE(nodes_->start_again(dead));
  EXPECT_TRUE(until(good_dead, 20)) << "it comes back by itself";
  EXPECT_GT(good_dead, good_before);
  ended = true;
  for (auto& thread : load) thread.join();
  EXPECT_EQ(wrong_answers, 0u);
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(std::find(told.begin(), told.end(), false) != told.end());
  EXPECT_TRUE(told.back());
  std::printf("answered %llu live, %llu of the killed node; refused %llu live, %llu of the killed node\n", static_cast<unsigned long long>(good_live), static_cast<unsigned long long>(good_dead),
              static_cast<unsigned long long>(refused_live), static_cast<unsigned long long>(refused_dead));
}

TEST_F(KsnRedis, says_which_node_is_missing_when_none_answers) {
  for (const std::size_t node : {0, 1, 2}) nodes_->kill(node);
  const auto started = Clock::now();
  const auto result = wrong({0});
  EXPECT_LT(Clock::now() - started, std::chrono::seconds(30));
  EXPECT_TRUE(result.find("Redis") != result.npos) << result;
}

}  // namespace
}  // namespace ksn_service
