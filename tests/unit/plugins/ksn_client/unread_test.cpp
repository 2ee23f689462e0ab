// What is kept cannot be read for a moment, as with a disk that fails or too many open files: nobody is asked, and nothing that waits is lost.
#include <algorithm>

#include "rig.hpp"

namespace ksn_client_test {
namespace {

constexpr const char* kUnread = "the record of consent cannot be read: input/output error";

struct KsnUnread : KsnClientPlugin {
  // Accepted, restricted to questions about files, and with statistics that are due at the next start.
  void stop_with_statistics_that_wait() {
    start();
    accept();
    ASSERT_TRUE(wait([&] { return ksn.seen().hellos > 0; }));
    ASSERT_EQ(activate(R"({"directives":1,"mode":"restricted","allow":["file"]})").status, PICKET_OK);
    host.stop();
    host.destroy();
    host.put_stored("outbox", R"({"statistics":[],"wishes":[],"done":[],"counted":{"files":3},"ksn":[],"aside":[],"period_began":1000000,"day":0,"day_bytes":0})");
  }
  void expect_statistics_of(std::uint64_t files) {
    EXPECT_THAT(ksn.seen().statistics, IsEmpty()) << "the directives are as they were";
    ASSERT_EQ(activate(R"({"directives":1,"mode":"normal"})").status, PICKET_OK);
    ASSERT_TRUE(wait([&] { return ksn.seen().statistics.size() == 1; }));
    EXPECT_EQ(ksn.seen().statistics[0].counters().at("files"), files);
  }
  bool told(const std::string& text) const {
    const auto logs = host.logs();
    return std::any_of(logs.begin(), logs.end(), [&](const auto& record) { return record.text == text; });
  }
};

TEST_F(KsnUnread, nobody_is_asked_and_nothing_is_cleared_while_the_record_of_consent_cannot_be_read) {
  stop_with_statistics_that_wait();
  start();
  ASSERT_TRUE(wait([&] { return status().counters().at("waiting") == 1; }));
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  host.fail_call("get", PICKET_E_IO);
  const auto status = this->status();
  EXPECT_EQ(status.status(), "Enabled with restrictions");
  EXPECT_THAT(status.cause(), EndsWith(std::string("; and not available: ") + kUnread));
  EXPECT_EQ(status.device_status(), "Warning");
  EXPECT_TRUE(wait([&] { return told(std::string("nobody is asked for now: ") + kUnread); })) << "by whoever noticed it first";
  const auto asks = ksn.seen().asks;
  const auto checked = check_one(digest_number(2));
  EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
  EXPECT_THAT(checked.why(), HasSubstr(kUnread));
  EXPECT_EQ(ask_raw("picket.ksn.connection", "").status, PICKET_E_DENIED);
  EXPECT_TRUE(wait([&] { return !state().in_use(); }));
  EXPECT_EQ(ksn.seen().asks, asks);
  EXPECT_EQ(this->status().counters().at("waiting"), 1U);

  host.fail_nothing();
  ASSERT_TRUE(wait([&] { return state().in_use(); })) << "by itself";
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  expect_statistics_of(3);
}

TEST_F(KsnUnread, a_start_at_which_nothing_can_be_read_loses_nothing) {
  stop_with_statistics_that_wait();
  const auto kept = host.stored();
  const auto messages = ksn.messages();
  host.fail_call("get", PICKET_E_IO);
  start();
  const auto status = this->status();
  EXPECT_EQ(status.status(), "Disabled");
  EXPECT_EQ(status.cause(), kUnread);
  EXPECT_EQ(status.device_status(), "Warning");
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::NOBODY);
  for (const auto& refused : {decide(true), turn(true)}) {
    EXPECT_EQ(refused.status, PICKET_E_IO);
    EXPECT_EQ(refused.payload, kUnread);
  }
  EXPECT_EQ(ksn.messages(), messages);
  for (const char* key : {"consent", "directives", "outbox"}) EXPECT_EQ(host.stored().at(key), kept.at(key)) << key;

  host.fail_nothing();
  ASSERT_TRUE(wait([&] { return state().status() == "Enabled with restrictions"; })) << "by itself";
  expect_statistics_of(3);
}

TEST_F(KsnUnread, who_declines_meanwhile_is_heard) {
  stop_with_statistics_that_wait();
  const auto messages = ksn.messages();
  host.fail_call("get", PICKET_E_IO);
  start();
  EXPECT_EQ(decide(false).status, PICKET_OK);
  host.fail_nothing();
  ASSERT_TRUE(wait([&] { return status().cause() == "the KSN statement is not accepted"; }));
  EXPECT_TRUE(wait([&] { return json::parse(host.stored().at("outbox")).at("counted").as_object().empty(); })) << "what waited is thrown away";
  EXPECT_EQ(ksn.messages(), messages);
}

TEST_F(KsnUnread, who_ends_its_use_meanwhile_is_heard_even_when_that_cannot_be_recorded) {
  stop_with_statistics_that_wait();
  const auto accepted = host.stored().at("consent");
  const auto messages = ksn.messages();
  for (const bool declines : {false, true}) {
    host.put_stored("consent", accepted);
    for (const char* call : {"get", "put", "remove"}) host.fail_call(call, PICKET_E_IO);
    start();
    EXPECT_EQ((declines ? decide(false) : turn(false)).status, PICKET_E_IO);
    EXPECT_EQ(status().cause(), kUnread);
    host.fail_nothing();
    ASSERT_TRUE(wait([&] { return status().cause() == "the KSN statement is not accepted"; })) << status().line();
    restart();
    EXPECT_EQ(status().cause(), "the KSN statement is not accepted") << "it is recorded as soon as it can be";
    EXPECT_EQ(ksn.messages(), messages);
    host.stop();
    host.destroy();
  }
}

}  // namespace
}  // namespace ksn_client_test
