// The plugin as it ships, and what it does with the agent's sources over the bus: each with its own patience, and the agent hears how it did.
#include <gtest/gtest.h>

#include <chrono>

#include "picket/distribution_point/v1/distribution_point.pb.h"
#include "picket/source/v1/source.pb.h"
#include "picket/update/v1/sources.pb.h"
#include "support/temporary_folder.hpp"
#include "support/update_repository.hpp"

#include <picket/testing/fake_host.hpp>

namespace v1 = picket::distribution_point::v1;
namespace update = picket::update::v1;
using picket::support::TemporaryFolder;
using picket::testing::Asked;
using picket::testing::FakeHost;

namespace {

class PointUpstream : public ::testing::Test {
 protected:
  void SetUp() override {
    repository_.offer({.component = "db", .single = std::string(1000, 'd')});
    repository_.publish();
    host_.allow({.publishes = std::vector<std::string>{"picket.distribution_point.finished", "picket.distribution_point.warning"}, .subscribes = std::vector<std::string>{},
                 .answers = std::vector<std::string>{"picket.distribution_point.download", "picket.distribution_point.status"},
                 .asks = std::vector<std::string>{"picket.source.fetch", "picket.update.source_outcome", "picket.update.sources", "picket.update.status"}});
    host_.when_asked("picket.update.sources", [&](const Asked& asked) {
      update::SourcesRequest question;
      EXPECT_TRUE(question.ParseFromString(asked.message.payload));
      questions_.push_back(question);
      return picket::testing::Reply{PICKET_OK, (question.has_after() ? more_ : sources_).SerializeAsString(), {}, {}};
    });
    host_.when_asked("picket.update.source_outcome", [&](const Asked& asked) {
      update::SourceOutcome outcome;
      EXPECT_TRUE(outcome.ParseFromString(asked.message.payload));
      outcomes_.push_back(outcome);
      return picket::testing::Reply{PICKET_OK, {}, {}, {}};
    });
    host_.when_asked("picket.source.fetch", [&](const Asked& asked) -> std::optional<picket::testing::Reply> {
      picket::source::v1::FetchRequest question;
      EXPECT_TRUE(question.ParseFromString(asked.message.payload));
      fetches_.push_back(question);
      return source_(asked.token, question);
    });
    sources_.set_initial_root(repository_.tuf.first_root());
    sources_.set_min_bytes_per_second(1000);
    ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY)) << host_.why();
    ASSERT_EQ(host_.create("org.picket.distribution-point"), PICKET_OK) << host_.error();
    ASSERT_EQ(host_.start(R"({"enabled":true,"name":"p","listen":["127.0.0.1"],"http_port":0,"threads":1,"interval_minutes":0,"agent_demand":false,"folder":")" + (folder_.path() / "point").native() + "\"}"),
              PICKET_OK) << host_.error();
  }
  void TearDown() override {
    host_.stop();
    host_.destroy();
    EXPECT_EQ(host_.violations(), std::vector<std::string>{});
  }
  void add(const std::string& name, std::uint32_t connect_ms, std::uint32_t stall_ms) {
    auto& road = *sources_.add_sources();
    road.set_plugin("org.acme.source");
    road.mutable_source()->set_name(name);
    road.set_connect_timeout_ms(connect_ms);
    road.set_stall_timeout_ms(stall_ms);
  }
  v1::PointResult download(const std::function<void()>& meanwhile = [] {}, const v1::DownloadRequest& order = {}) {
    const auto id = host_.request({.topic = "picket.distribution_point.download", .payload = order.SerializeAsString(), .timeout_ms = 120'000});
    EXPECT_TRUE(host_.wait_for([&] {
      meanwhile();
      return host_.answer(id).done;
    }, std::chrono::seconds(120)));
    v1::DownloadResult result;
    EXPECT_TRUE(result.ParseFromString(host_.answer(id).payload)) << host_.answer(id).payload;
    return result.points_size() == 1 ? result.points(0) : v1::PointResult();
  }

  // A source that leads to another point, which has no newer root and nothing else: the root in use is of today.
  void add_point_that_has_nothing() {
    add("point", 30'000, 30'000);
    repository_.tuf.root()["expires"] = "2100-01-01T00:00:00Z";
    repository_.tuf.publish({"root"});
    sources_.set_initial_root(repository_.tuf.files.at("2.root.json"));
    source_ = [](std::uint64_t, const picket::source::v1::FetchRequest& question) {
      return picket::testing::Reply{question.path() == "metadata/3.root.json" ? PICKET_E_NOT_FOUND : PICKET_E_UNAVAILABLE, "not now", {}, {}};
    };
  }

  TemporaryFolder folder_;
  picket::support::UpdateRepository repository_;
  update::SourcesReply sources_, more_;   // more: what the second message holds
  std::function<std::optional<picket::testing::Reply>(std::uint64_t token, const picket::source::v1::FetchRequest&)> source_;
  std::vector<picket::source::v1::FetchRequest> fetches_;
  std::vector<update::SourceOutcome> outcomes_;
  std::vector<update::SourcesRequest> questions_;
  FakeHost host_;
};

TEST_F(PointUpstream, asks_each_source_with_its_own_patience_and_tells_the_agent_what_it_wants_to_be_spared) {
  add("locked", 11'000, 22'000);
  add("dead", 33'000, 44'000);
  source_ = [](std::uint64_t, const picket::source::v1::FetchRequest& question) -> std::optional<picket::testing::Reply> {
    if (question.source().name() == "locked") return picket::testing::Reply{PICKET_E_DENIED, "HTTP 429", "text/plain; retry-after=7000", {}};
    return picket::testing::Reply{PICKET_E_UNAVAILABLE, "no route to host", {}, {}};
  };
  const auto result = download();
  EXPECT_EQ(result.result_class(), "failed");
  ASSERT_EQ(fetches_.size(), 2u);
  EXPECT_EQ(fetches_[0].connect_timeout_ms(), 11'000u);
  EXPECT_EQ(fetches_[0].stall_timeout_ms(), 22'000u);
  EXPECT_EQ(fetches_[1].connect_timeout_ms(), 33'000u);
  EXPECT_EQ(fetches_[1].stall_timeout_ms(), 44'000u);
  EXPECT_EQ(fetches_[1].min_bytes_per_second(), 1000u);
  ASSERT_EQ(outcomes_.size(), 2u);
  EXPECT_EQ(outcomes_[0].source(), "locked");
  EXPECT_NE(outcomes_[0].error().find("HTTP 429"), std::string::npos) << outcomes_[0].error();
  EXPECT_TRUE(outcomes_[0].has_retry_after_seconds());
  EXPECT_EQ(outcomes_[0].retry_after_seconds(), 7000u);
  EXPECT_EQ(outcomes_[1].source(), "dead");
  EXPECT_FALSE(outcomes_[1].has_retry_after_seconds());
  ASSERT_EQ(result.steps_size(), 2);
  EXPECT_EQ(result.steps(0).source(), "locked");
  EXPECT_NE(result.steps(0).text().find("failed: "), std::string::npos) << result.steps(0).text();
}

// A source that leads to another point tells that one.
TEST_F(PointUpstream, says_with_each_check_what_is_wanted_of_this_point) {
  add_point_that_has_nothing();
  v1::DownloadRequest order;
  order.add_components("db");
  EXPECT_EQ(download([] {}, order).result_class(), "failed");
  ASSERT_EQ(fetches_.size(), 2u);
  EXPECT_FALSE(fetches_[0].has_wanted()) << fetches_[0].path();
  EXPECT_EQ(fetches_[1].path(), "metadata/timestamp.json");
  ASSERT_EQ(fetches_[1].wanted().components_size(), 1);
  EXPECT_EQ(fetches_[1].wanted().components(0).component(), "db");
  EXPECT_EQ(fetches_[1].wanted().components(0).variant(), "full");
  EXPECT_EQ(download().result_class(), "failed");
  ASSERT_EQ(fetches_.size(), 4u);
  EXPECT_TRUE(fetches_[3].has_wanted());
  EXPECT_EQ(fetches_[3].wanted().components_size(), 0) << "nobody wants anything any more";
}

// Who asks while those before are told how it went waits for a download of its own.
TEST_F(PointUpstream, answers_who_asks_at_the_end_of_a_download) {
  add("point", 30'000, 30'000);
  source_ = [](std::uint64_t, const picket::source::v1::FetchRequest&) { return picket::testing::Reply{PICKET_E_UNAVAILABLE, "no route to host", {}, {}}; };
  for (int i = 0; i < 100; ++i) ASSERT_EQ(download().result_class(), "failed") << i;
}

TEST_F(PointUpstream, says_no_more_of_what_is_wanted_than_leaves_room_for_the_question) {
  add_point_that_has_nothing();
  v1::DownloadRequest order;
  for (int i = 1000; i < 2500; ++i) order.add_components(std::string(60, 'c') + std::to_string(i));
  EXPECT_EQ(download([] {}, order).result_class(), "failed");
  ASSERT_EQ(fetches_.size(), 2u);
  EXPECT_GT(fetches_[1].wanted().components_size(), 1000);
  EXPECT_LE(fetches_[1].wanted().ByteSizeLong(), 96u * 1024);
}

TEST_F(PointUpstream, asks_on_until_it_knows_every_release_that_it_must_not_hand_on) {
  add("dead", 30'000, 30'000);
  sources_.add_declined()->set_component("a");
  sources_.mutable_next()->set_component("a");
  more_.add_held()->set_component("db");
  source_ = [](std::uint64_t, const picket::source::v1::FetchRequest&) { return picket::testing::Reply{PICKET_E_UNAVAILABLE, "no route to host", {}, {}}; };
  EXPECT_EQ(download().result_class(), "failed");
  ASSERT_EQ(questions_.size(), 2u);
  EXPECT_FALSE(questions_[0].has_after());
  EXPECT_EQ(questions_[1].after().component(), "a");
  ASSERT_EQ(fetches_.size(), 1u) << "and still knows the sources that the first message named";
  EXPECT_EQ(fetches_[0].min_bytes_per_second(), 1000u);
}

TEST_F(PointUpstream, gives_up_on_an_agent_whose_answers_have_no_end) {
  add("dead", 30'000, 30'000);
  sources_.mutable_next()->set_component("a");
  more_.mutable_next()->set_component("a");
  const auto result = download();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_NE(result.reason().find("the agent's answers have no end: what follows a was told already"), std::string::npos) << result.reason();
  EXPECT_EQ(questions_.size(), 2u);
  EXPECT_TRUE(fetches_.empty());
}

// Its own plugin does not notice, and bytes never stop coming.
TEST_F(PointUpstream, gives_a_trickling_source_up_however_alive_it_looks) {
  sources_.set_min_bytes_per_second(10'000'000);  // beyond what single bytes can be here
  std::uint64_t token = 0;
  source_ = [&](std::uint64_t asked, const picket::source::v1::FetchRequest&) -> std::optional<picket::testing::Reply> {
    token = asked;
    return std::nullopt;
  };
  auto sent = std::chrono::steady_clock::now();
  v1::PointResult result;
  // On a slow computer there may be a pause of stall_timeout all the same.
  for (std::uint32_t stall_ms = 300; stall_ms < 20'000 && result.reason().find("too slow: ") == std::string::npos; stall_ms *= 4) {
    sources_.clear_sources();
    outcomes_.clear();
    add("trickle", 30'000, stall_ms);
    token = 0;
    result = download([&] {
      const auto now = std::chrono::steady_clock::now();
      if (token == 0 || now - sent < std::chrono::milliseconds(10)) return;  // far less than is wanted, and never a pause of stall_timeout
      sent = now;
      (void)host_.stream(token, "x");
    });
  }
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_NE(result.reason().find("too slow: "), std::string::npos) << result.reason();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_NE(outcomes_[0].error().find("too slow: "), std::string::npos) << outcomes_[0].error();
}

}  // namespace
