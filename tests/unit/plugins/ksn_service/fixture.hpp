// A service over an LMDB store of its own, asked without a network.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <stdlib.h>

#include "ksn/answers.hpp"
#include "ksn_store/store.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "service.hpp"
#include "support/temporary_folder.hpp"

namespace ksn_service::test {

namespace fs = std::filesystem;

inline std::string digest_of(int n) { return std::string(28, 'd') + static_cast<char>(n >> 8) + static_cast<char>(n) + "zz"; }

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    settings_.name = "example";
    settings_.store = folder_ + "/store";
    settings_.burst = 100'000;
    make_store();
  }
  void TearDown() override { service_.reset(); }
  void make_store() {
    auto store = picket::ksn_store::open_store(settings_.store, true).value();
    std::vector<picket::ksn_store::Row> rows;
    for (int i = 0; i < 100; ++i) rows.push_back(picket::ksn_store::row_of(digest_of(i), {1 + i % 3, "category", "threat " + std::to_string(i), {}, {}, 10, 0, {"DE"}}));
    ASSERT_TRUE(store->put(v1::OBJECT_FILE, rows));
    ASSERT_TRUE(store->put_licence({"good", false, 0, ""}));
    ASSERT_TRUE(store->put_licence({"blocked", true, 0, ""}));
    ASSERT_TRUE(store->put_licence({"expired", false, now_ - 1, ""}));
  }
  Service& service() {
    if (!service_)
      service_ = std::make_unique<Service>(
          settings_, Signer::from_pem(key_.to_pem().value()).value(), [this](bool good, const std::string& line) { told_.push_back((good ? "good: " : "bad: ") + line); }, [this] { return now_; });
    return *service_;
  }
  static v1::Asker asker(std::string licence = "good") {
    v1::Asker out;
    out.set_licence(std::move(licence));
    out.set_installation(std::string(16, 'i'));
    out.set_product("picket");
    out.set_version("0.1");
    return out;
  }
  static v1::AskRequest asking(const std::vector<std::string>& digests, v1::ObjectKind kind = v1::OBJECT_FILE) {
    v1::AskRequest out;
    *out.mutable_asker() = asker();
    auto* questions = out.add_questions();
    questions->set_kind(kind);
    questions->set_length(static_cast<std::uint32_t>(digests.empty() ? 32 : digests[0].size()));
    for (const auto& digest : digests) questions->mutable_digests()->append(digest);
    return out;
  }
  static v1::HelloRequest greeting(std::string licence = "good") {
    v1::HelloRequest out;
    *out.mutable_asker() = asker(std::move(licence));
    return out;
  }
  Response post(std::string_view path, const google::protobuf::MessageLite& message, std::string_view peer = "192.0.2.7") {
    return service().handle(path, message.SerializeAsString(), peer);
  }
  v1::AskReply asked(const v1::AskRequest& request) {
    const auto response = post("/ksn/v1/ask", request);
    v1::AskReply reply;
    EXPECT_EQ(response.status, 200) << refusal(response).text();
    EXPECT_TRUE(reply.ParseFromString(response.body));
    return reply;
  }
  struct Said {
    v1::Facts facts;
    v1::UnderPrefix list;
  };
  // Each answer, checked as a client checks it.
  std::vector<Said> answers(const v1::AskRequest& request) { return answers(request, asked(request)); }
  std::vector<Said> answers(const v1::AskRequest& request, const v1::AskReply& reply) const {
    const auto questions = picket::ksn::questions_of(request);
    const auto proven = picket::ksn::Verifier({key_.public_key()}, "example", true).verify(reply, questions, now_);
    EXPECT_TRUE(proven) << (proven ? "" : proven.error().message);
    std::vector<Said> out;
    if (!proven) return out;
    for (std::size_t i = 0; i < proven->size(); ++i) {
      const std::string said((*proven)[i].said);
      auto& one = out.emplace_back();
      EXPECT_TRUE(questions[i].asked.size() == 32 ? one.facts.ParseFromString(said) : one.list.ParseFromString(said));
    }
    return out;
  }
  static v1::Refusal refusal(const Response& response) {
    v1::Refusal out;
    EXPECT_TRUE(response.status == 200 || out.ParseFromString(response.body));
    return out;
  }

  const picket::support::TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
  std::int64_t now_ = 1'800'000'000;
  picket::trust::PrivateKey key_ = picket::trust::PrivateKey::generate("ed25519").value();
  ServiceSettings settings_;
  std::unique_ptr<Service> service_;
  std::vector<std::string> told_;
};

}  // namespace ksn_service::test
