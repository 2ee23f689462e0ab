// The host's types of work, with an update engine and plugins that do as the test says.
#include "tasks/work.hpp"

#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <picket/distribution_point/v1/distribution_point.pb.h>

#include "unit/tasks/bus_fixture.hpp"

namespace picket::tasks {
namespace {

namespace v1 = task::v1;
namespace point = distribution_point::v1;
using testing::ElementsAre;
using testing::HasSubstr;

// Answers each topic with the same bytes, and remembers what it was asked.
class Answerer final : private bus::Handler {
 public:
  Answerer(bus::Router& router, std::map<std::string, std::string> answers) : answers_(std::move(answers)) {
    bus::PeerOptions options;
    options.name = "answerer." + answers_.begin()->first;
    for (const auto& [topic, bytes] : answers_) options.allow.answers.push_back(topic);
    peer_ = std::move(*router.attach(std::move(options), *this));
  }
  ~Answerer() override { peer_.reset(); }
  std::vector<std::pair<std::string, std::string>> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::vector<std::string> topics() {
    std::vector<std::string> out;
    for (const auto& [topic, payload] : asked()) out.push_back(topic);
    return out;
  }
  std::vector<std::string> progress;   // said before each answer

 private:
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override {
    const std::lock_guard lock(mutex_);
    const std::string topic(message->topic());
    asked_.emplace_back(topic, std::string(message->payload()));
    for (const auto& one : progress) EXPECT_EQ(peer_->stream_write(id, one), bus::kOk);
    peer_->respond(id, bus::kOk, "", answers_.at(topic));
  }
  std::mutex mutex_;
  std::map<std::string, std::string> answers_;
  std::vector<std::pair<std::string, std::string>> asked_;
  std::unique_ptr<bus::Peer> peer_;
};

update::v1::RunResult run_of(const std::string& kind, const std::string& result, const std::string& component_result) {
  update::v1::RunResult out;
  out.set_kind(kind);
  out.set_result(result);
  auto& component = *out.add_components();
  component.set_component("rules");
  component.set_result(component_result);
  component.set_release_before(1);
  component.set_release_after(2);
  return out;
}

class WorkTest : public BusTest {
 protected:
  Work& of(std::string_view type) {
    for (const auto& each : work_)
      if (each->type() == type) return *each;
    ADD_FAILURE() << "no type " << type;
    return *work_.front();
  }
  Result<v1::WorkReply> run(std::string_view type, const std::string& options) {
    v1::WorkRequest request;
    request.set_task("t");
    request.set_run(9);
    request.set_options_json(options);
    return of(type).run(*caller_, request, [](const auto&) {}, {});
  }
  std::string why_not(std::string_view type, std::string_view options) {
    const auto good = of(type).check(options);
    return good ? "" : good.error().message;
  }
  void engine(const update::v1::RunResult& update, const update::v1::RunResult& verdict = {}) {
    engine_ = std::make_unique<Answerer>(*router_, std::map<std::string, std::string>{{"picket.update.run", update.SerializeAsString()},
                                                                                      {"picket.update.verdict", verdict.SerializeAsString()},
                                                                                      {"picket.update.export", run_of("export", "ok", "exported").SerializeAsString()}});
  }
  void tester(const std::string& result, const std::string& text = "") {
    v1::WorkReply reply;
    reply.set_result(result);
    reply.set_text(text);
    tester_ = std::make_unique<Answerer>(*router_, std::map<std::string, std::string>{{"picket.task.type.try-scan", reply.SerializeAsString()}});
  }

  static update::v1::RunResult taken_back(const std::string& word) {
    auto out = run_of("verification", "failed", word);
    out.mutable_components(0)->set_release_before(2);
    out.mutable_components(0)->set_release_after(1);
    return out;
  }
  // The last that the engine was asked.
  update::v1::VerdictRequest verdict() {
    update::v1::VerdictRequest out;
    const auto asked = engine_->asked();
    EXPECT_EQ(asked.back().first, "picket.update.verdict");
    EXPECT_TRUE(out.ParseFromString(asked.back().second));
    return out;
  }

  std::vector<std::unique_ptr<Work>> work_ = host_work();
  std::unique_ptr<Answerer> engine_, tester_;
};

constexpr auto kVerify = R"({"testers":["try-scan"],"tester_options":{"samples":"/srv/samples"}})";

TEST_F(WorkTest, an_update_asks_the_engine) {
  engine(run_of("update", "ok", "updated"));
  const auto done = run("update", R"({"components":["rules"],"force":true})");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->result(), "ok");
  EXPECT_TRUE(done->news());
  EXPECT_EQ(done->text(), "rules 1 > 2");
  update::v1::RunRequest order;
  ASSERT_TRUE(order.ParseFromString(engine_->asked()[0].second));
  EXPECT_TRUE(order.force_check());
  EXPECT_FALSE(order.prefetch());
  EXPECT_EQ(order.components(0), "rules");
}

TEST_F(WorkTest, a_prefetch_is_an_update_that_puts_nothing_in_force) {
  engine(run_of("prefetch", "ok", "fetched"));
  const auto done = run("prefetch", "{}");
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->news()) << "nobody who waits for new updates is started";
  update::v1::RunRequest order;
  ASSERT_TRUE(order.ParseFromString(engine_->asked()[0].second));
  EXPECT_TRUE(order.prefetch());
}

TEST_F(WorkTest, a_current_update_is_ok_and_others_keep_their_word) {
  engine(run_of("update", "current", "current"));
  EXPECT_EQ(run("update", "{}")->result(), "ok");
  EXPECT_EQ(run("update", "{}")->text(), "nothing new");
  engine_.reset();
  engine(run_of("update", "partial", "failed"));
  EXPECT_EQ(run("update", "{}")->result(), "partial");
}

TEST_F(WorkTest, a_copy_names_its_folders) {
  engine(run_of("update", "ok", "updated"));
  const auto done = run("copy", R"({"folders":["/srv/a","/srv/b"],"components":["rules"]})");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->text(), "copied to /srv/a, /srv/b");
  update::v1::ExportRequest order;
  ASSERT_TRUE(order.ParseFromString(engine_->asked()[0].second));
  EXPECT_EQ(order.folders_size(), 2);
  EXPECT_EQ(order.components(0), "rules");
}

TEST_F(WorkTest, a_verification_that_passes_leaves_the_update_in_force) {
  engine(run_of("update", "ok", "updated"), run_of("verification", "ok", "updated"));
  tester("ok", "12 samples found");
  const auto done = run("verification", kVerify);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->result(), "ok");
  EXPECT_TRUE(done->news());
  ASSERT_EQ(done->parts_size(), 2);
  EXPECT_EQ(done->parts(1).text(), "12 samples found");
  EXPECT_THAT(engine_->topics(), ElementsAre("picket.update.run", "picket.update.verdict"));
  update::v1::RunRequest order;
  ASSERT_TRUE(order.ParseFromString(engine_->asked()[0].second));
  EXPECT_TRUE(order.trial()) << "nobody else is told before";
  EXPECT_EQ(verdict().verdict(), "passed");
  v1::WorkRequest asked;
  ASSERT_TRUE(asked.ParseFromString(tester_->asked()[0].second));
  EXPECT_EQ(asked.options_json(), R"({"samples":"/srv/samples"})");
}

TEST_F(WorkTest, a_verification_that_fails_goes_back_and_triggers_nothing) {
  engine(run_of("update", "ok", "updated"), taken_back("refused"));
  tester("failed", "3 of 12 samples were not found");
  const auto done = run("verification", kVerify);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->result(), "failed");
  EXPECT_FALSE(done->news());
  EXPECT_EQ(done->text(), "not verified: try-scan: 3 of 12 samples were not found; rules is back at 1");
  EXPECT_EQ(verdict().verdict(), "failed");
  EXPECT_EQ(verdict().why(), "try-scan: 3 of 12 samples were not found");
}

TEST_F(WorkTest, a_tester_that_is_not_there_verifies_nothing_and_refuses_nothing) {
  engine(run_of("update", "ok", "updated"), taken_back("rolled-back"));
  const auto done = run("verification", kVerify);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->result(), "failed");
  EXPECT_THAT(done->text(), HasSubstr("no plugin that runs offers tasks of type 'try-scan'; rules is back at 1"));
  EXPECT_EQ(verdict().verdict(), "untried");
}

TEST_F(WorkTest, what_is_in_force_is_tried_also_when_nothing_is_new) {
  engine(run_of("update", "current", "current"));
  tester("failed", "broken");
  const auto done = run("verification", kVerify);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->text(), "not verified: try-scan: broken") << "nothing is on trial, nothing goes back";
}

TEST_F(WorkTest, what_a_killed_run_left_on_trial_goes_back_although_nothing_is_new) {
  engine(run_of("update", "current", "current"), taken_back("refused"));
  tester("failed", "broken");
  EXPECT_EQ(run("verification", kVerify)->text(), "not verified: try-scan: broken; rules is back at 1");
}

TEST_F(WorkTest, only_what_was_on_trial_is_news) {
  engine(run_of("update", "current", "current"));
  tester("ok");
  EXPECT_FALSE(run("verification", kVerify)->news());
  engine_.reset();
  engine(run_of("update", "current", "current"), run_of("verification", "ok", "updated"));
  EXPECT_TRUE(run("verification", kVerify)->news()) << "what a killed run had brought";
}

TEST_F(WorkTest, an_update_that_fails_is_not_tried) {
  engine(run_of("update", "failed", "failed"));
  tester("ok");
  EXPECT_EQ(run("verification", kVerify)->result(), "failed");
  EXPECT_TRUE(tester_->asked().empty());
}

TEST_F(WorkTest, a_distribution_point_says_what_each_point_did) {
  point::DownloadResult result;
  result.set_overall("failed");
  result.set_reason("mac-1 cannot be a point");
  auto& good = *result.add_points();
  good.set_point("linux-1");
  good.set_result_class("ok");
  good.set_published(true);
  auto& bad = *result.add_points();
  bad.set_point("mac-1");
  bad.set_result_class("unsupported");
  bad.set_reason("this platform cannot download");
  engine_ = std::make_unique<Answerer>(*router_, std::map<std::string, std::string>{{"picket.distribution_point.download", result.SerializeAsString()}});
  const auto done = run("distribution-point", R"({"components":["rules"],"overall_rule":"strict"})");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->result(), "failed");
  EXPECT_TRUE(done->news()) << "one point published something";
  EXPECT_EQ(done->text(), "mac-1 cannot be a point; what only its options.components name is removed by the next download without them; the setting components of the point lasts");
  EXPECT_EQ(done->parts(1).result(), "unsupported");
  point::DownloadRequest order;
  ASSERT_TRUE(order.ParseFromString(engine_->asked()[0].second));
  EXPECT_EQ(order.run(), 9u);
  EXPECT_EQ(order.overall_rule(), "strict");
}

point::DownloadProgress point_says(const std::string& step, const std::string& file, const std::string& text, std::uint64_t done) {
  point::DownloadProgress out;
  out.set_step(step);
  out.set_file(file);
  out.set_text(text);
  out.set_done(done);
  out.set_total(410'000);   // of all files
  return out;
}

TEST_F(WorkTest, a_distribution_point_tells_each_files_own_size_and_how_it_ended) {
  point::DownloadResult result;
  result.set_overall("ok");
  engine_ = std::make_unique<Answerer>(*router_, std::map<std::string, std::string>{{"picket.distribution_point.download", result.SerializeAsString()}});
  for (const auto& said : {point_says("fetch", "rules.delta", "31 B", 0), point_says("fetch", "rules.delta", "", 20), point_says("done", "", "ok", 410'000)})
    engine_->progress.push_back(said.SerializeAsString());
  std::vector<update::v1::Progress> told;
  v1::WorkRequest request;
  request.set_options_json("{}");
  ASSERT_TRUE(of("distribution-point").run(*caller_, request, [&](const auto& one) { told.push_back(one); }, {}));
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0].component() + ": " + told[0].text(), "rules.delta: 31 B");
  EXPECT_EQ(told[0].total(), 0u) << "else the sum of all would stand for it";
  EXPECT_EQ(told[1].component(), "");
  EXPECT_EQ(told[1].done(), 20u);
  EXPECT_EQ(told[1].total(), 410'000u);
  EXPECT_EQ(told[2].text(), "ok");
  EXPECT_EQ(told[2].total(), 0u);
}

TEST_F(WorkTest, a_computer_that_is_no_point_is_unsupported) {
  const auto done = run("distribution-point", "{}");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::unsupported);
}

TEST_F(WorkTest, options_are_checked_with_one_clear_line) {
  EXPECT_EQ(why_not("update", R"({"components":["a"],"force":false})"), "");
  EXPECT_EQ(why_not("update", R"({"force":1})"), "options.force: must be true or false");
  EXPECT_EQ(why_not("update", R"({"components":"a"})"), "options.components: must be a list of texts");
  EXPECT_EQ(why_not("rollback", R"({"component":"a","steps":2})"), "");
  EXPECT_EQ(why_not("rollback", R"({"component":"a","steps":0})"), "options.steps: must be a whole number from 1 to 1000");
  EXPECT_EQ(why_not("copy", "{}"), "options.folders: a copy needs it");
  EXPECT_EQ(why_not("copy", R"({"folders":["srv"]})"), "options.folders: 'srv' is no absolute path");
  EXPECT_EQ(why_not("verification", R"({"testers":["a"]})"), "");
  EXPECT_EQ(why_not("verification", "{}"), "options.testers: a verification needs the task types that try the new sets");
  EXPECT_EQ(why_not("distribution-point", R"({"overall_rule":"lenient"})"), "options.overall_rule: must be strict, ignore-unsupported or any-ok");
  EXPECT_EQ(why_not("rollback", R"({"component":"Rules!"})"), "options.component: component name \"Rules!\" may hold a-z, 0-9 and - only, and not begin with -");
  for (const char* type : {"update", "prefetch", "copy", "verification", "distribution-point"})
    EXPECT_EQ(why_not(type, R"({"components":["rules","Rules!"]})"), "options.components: component name \"Rules!\" may hold a-z, 0-9 and - only, and not begin with -") << type;
  EXPECT_EQ(why_not("copy", R"({"colour":[]})"), "options: a copy knows no 'colour', only folders and components");
}

}  // namespace
}  // namespace picket::tasks
