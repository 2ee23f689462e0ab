// A broker before a KSN of the test's own.
#pragma once

#include "broker.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ask.hpp"
#include "fake_ksn.hpp"

namespace picket::ksn_proxy_tests {

using namespace ::ksn_proxy;
using namespace std::chrono_literals;

class BrokerTest : public ::testing::Test {
 protected:
  void open(BrokerSettings settings = {}, Standings standings = {}) {
    if (settings.deadline == BrokerSettings().deadline) settings.deadline = 60s;  // that the KSN of a busy computer keeps, too
    broker_ = std::make_unique<Broker>(settings, Broker::Parts{ksn_, ksn_.verifier(), std::string(16, 'p'), "1.2.3", [this] { return ksn_.now.load(); },
                                                               [this](std::string_view text) {
                                                                 const std::lock_guard lock(mutex_);
                                                                 warnings_.emplace_back(text);
                                                               }, {}, std::move(standings)});
  }
  void TearDown() override {
    ksn_.let_go();
    broker_.reset();
  }
  Answered ask(const std::vector<std::string>& digests, std::string_view licence = "good", v1::ObjectKind kind = v1::OBJECT_FILE) {
    return ask_body(ask_of(digests, licence, kind));
  }
  Answered ask_body(std::string body) {
    Answered out;
    out.asked = std::move(body);
    broker_->ask(out.asked, out.reply(), peer_);
    return out;
  }
  Answered greet(std::string_view licence = "good") {
    v1::HelloReply ours;
    ours.set_ksn("test");
    ours.set_private_ksn(true);
    ours.set_proxy(true);
    Answered out;
    broker_->greet(licence, ours, out.reply(), peer_);
    return out;
  }
  struct Said {
    v1::Facts facts;
    v1::UnderPrefix list;
  };
  // The answers, checked as a client checks them; empty: they are not the provider's.
  std::vector<Said> answers(Answered& answered) {
    std::vector<Said> out;
    v1::AskRequest request;
    if (answered.wait() != 200 || !request.ParseFromString(answered.asked)) return out;
    const auto reply = answered.as<v1::AskReply>();
    const auto questions = ksn::questions_of(request);
    const auto verified = ksn_.verifier().verify(reply, questions, ksn_.now);
    EXPECT_TRUE(verified) << (verified ? "" : verified.error().message);
    if (!verified) return out;
    for (std::size_t i = 0; i < verified->size(); ++i) {
      const std::string said((*verified)[i].said);
      auto& one = out.emplace_back();
      EXPECT_TRUE(questions[i].asked.size() == 32 ? one.facts.ParseFromString(said) : one.list.ParseFromString(said));
    }
    return out;
  }
  std::string peer_;  // who asks
  FakeKsn ksn_;
  std::mutex mutex_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Broker> broker_;
};

}  // namespace picket::ksn_proxy_tests
