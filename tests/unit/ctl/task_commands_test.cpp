// picketctl task: what is shown, and which exit code says what.
#include <gtest/gtest.h>

#include "sample_picketd.hpp"

namespace picket::test {
namespace {

class TaskCommands : public ::testing::Test {
 protected:
  void SetUp() override { answer_everything(picketd); }
  CtlRan run(std::vector<std::string> arguments) {
    arguments.push_back("--socket");
    arguments.push_back(picketd.socket());
    return run_ctl(std::move(arguments), {}, sample_now);
  }
  CtlRan run_that_ends(const std::string& result) {
    auto done = sample_tasks().tasks(0).last();
    done.set_result(result);
    picketd.answer_with("picket.task.run", done);
    picketd.start();
    return run({"task", "run", "update"});
  }
  CtlPicketd picketd;
};

TEST_F(TaskCommands, list_shows_when_and_what) {
  picketd.start();
  const auto ran = run({"task", "list"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const auto* part : {"update", "in 30 min", "partial 1 h", "automatic, every 2 h", "nightly", "disabled", "no plugin that runs offers tasks of type 'colour'", "types: rollback, update"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
}

TEST_F(TaskCommands, list_asks_on_until_it_has_all) {
  picketd.answer<task::v1::ListRequest>("picket.task.list", [](const task::v1::ListRequest& request) -> Result<std::string> {
    task::v1::ListReply page;
    if (request.after().empty()) page.add_types("rollback");
    page.add_tasks()->set_id(request.after().empty() ? "alpha" : "beta");
    page.set_more(request.after().empty());
    return page.SerializeAsString();
  });
  picketd.start();
  const auto ran = run({"task", "list"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const auto* part : {"alpha", "beta", "types: rollback\n"}) EXPECT_NE(ran.out.find(part), std::string::npos) << ran.out;
}

TEST_F(TaskCommands, list_gives_up_on_answers_that_have_no_end) {
  picketd.answer<task::v1::ListRequest>("picket.task.list", [](const task::v1::ListRequest&) -> Result<std::string> {
    task::v1::ListReply page;
    page.add_tasks()->set_id("alpha");
    page.set_more(true);
    return page.SerializeAsString();
  });
  picketd.start();
  const auto ran = run({"task", "list"});
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.err.find("picketd's answers to picket.task.list have no end: there is more behind 'alpha' again"), std::string::npos) << ran.err;
}

TEST_F(TaskCommands, run_shows_parts_and_ends_with_the_code_of_its_result) {
  const auto ran = run_that_ends("partial");
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.out.find("url-list"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("task update, run 7: partial, 5 s: url-list: no source\\x1b[31m has it"), std::string::npos) << ran.out;
}

TEST_F(TaskCommands, each_result_has_its_code) {
  EXPECT_EQ(run_that_ends("ok").code, 0);
}
TEST_F(TaskCommands, a_failure_is_1) { EXPECT_EQ(run_that_ends("failed").code, 1); }
TEST_F(TaskCommands, out_of_time_is_1) { EXPECT_EQ(run_that_ends("timed-out").code, 1); }
TEST_F(TaskCommands, unsupported_is_1) { EXPECT_EQ(run_that_ends("unsupported").code, 1); }
TEST_F(TaskCommands, cancelled_is_130) { EXPECT_EQ(run_that_ends("cancelled").code, 130); }

TEST_F(TaskCommands, detached_it_is_only_started) {
  picketd.answer<task::v1::StartRequest>("picket.task.run", [](const task::v1::StartRequest& request) -> Result<std::string> {
    EXPECT_TRUE(request.detach());
    task::v1::Run accepted;
    accepted.set_task(request.id());
    return accepted.SerializeAsString();
  });
  picketd.start();
  const auto ran = run({"task", "run", "update", "--detach"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "task update was started; picketctl task watch update follows it\n");
}

TEST_F(TaskCommands, watching_all_prints_each_run_and_ends_well) {
  picketd.start();
  const auto ran = run({"task", "watch"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("task update, run 7: partial"), std::string::npos) << ran.out;
}

TEST_F(TaskCommands, errors_are_one_line) {
  picketd.answer_bytes("picket.task.watch", [](std::string_view) { return CtlAnswer{{}, fail(Code::conflict, "task update does not run; see picketctl task history update"), false}; });
  picketd.start();
  const auto ran = run({"task", "watch", "update"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "picketctl: task update does not run; see picketctl task history update\n");
  EXPECT_EQ(run({"task", "run"}).code, 2);
  EXPECT_EQ(run({"task", "rin"}).code, 2);
}

TEST_F(TaskCommands, history_names_the_trigger) {
  picketd.start();
  const auto ran = run({"task", "history", "update", "--limit", "3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const auto* part : {"BECAUSE", "schedule", "partial", "5 s"}) EXPECT_NE(ran.out.find(part), std::string::npos) << ran.out;
}

}  // namespace
}  // namespace picket::test
