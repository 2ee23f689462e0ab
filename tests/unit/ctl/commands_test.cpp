// What commands ask, and what becomes of errors.
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "ctl/terminal.hpp"
#include "picket/distribution_point/v1/distribution_point.pb.h"
#include "sample_picketd.hpp"

namespace picket::test {
namespace {

class Commands : public ::testing::Test {
 protected:
  CtlRan run(std::vector<std::string> arguments, const core::CancelToken& cancel = {}) {
    arguments.push_back("--socket");
    arguments.push_back(picketd.socket());
    return run_ctl(std::move(arguments), cancel, sample_now);
  }
  CtlPicketd picketd;
};

TEST_F(Commands, an_unreachable_picketd_is_exit_code_3) {
  const auto ran = run({"status"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_NE(ran.err.find("picketctl: cannot reach picketd at "), std::string::npos) << ran.err;
  EXPECT_EQ(ran.out, "");
  const auto as_json = run({"status", "--json"});
  EXPECT_EQ(as_json.code, 3);
  EXPECT_NE(as_json.out.find(R"("error":{"code":)"), std::string::npos) << as_json.out;
}

TEST_F(Commands, one_of_a_kind_is_counted_as_one) { EXPECT_NE(run({"doctor"}).out.find("1 check, 0 warnings, 1 failure\n"), std::string::npos); }

TEST_F(Commands, an_error_from_the_other_side_is_exit_code_1_with_its_text) {
  picketd.answer<host::v1::PluginInfoRequest>("picket.plugin.info", [](const auto& request) -> Result<std::string> {
    return fail(Code::not_found, cat("no plugin ", request.id()));
  });
  picketd.start();
  const auto ran = run({"plugin", "info", "org.none"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("no plugin org.none"), std::string::npos) << ran.err;
}

TEST_F(Commands, a_plugin_that_does_not_run_after_its_restart_is_exit_code_1_with_its_state_and_why) {
  host::v1::PluginRestartReply reply;
  reply.mutable_status()->set_state("refused");
  reply.mutable_status()->set_text("plugin.so: sha256 is not what was signed");
  picketd.answer_with("picket.plugin.restart", reply);
  picketd.start();
  const auto ran = run({"plugin", "restart", "org.acme.bad"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "org.acme.bad does not run, it is refused: plugin.so: sha256 is not what was signed\n");
}

TEST_F(Commands, a_plugin_that_runs_after_its_restart_is_exit_code_0_with_its_version) {
  host::v1::PluginRestartReply reply;
  reply.mutable_status()->set_state("running");
  reply.mutable_status()->set_version("1.2.0");
  picketd.answer_with("picket.plugin.restart", reply);
  picketd.start();
  const auto ran = run({"plugin", "restart", "org.acme.good"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "org.acme.good was restarted and runs, version 1.2.0\n");
}

TEST_F(Commands, where_no_distribution_point_runs_its_status_says_so) {
  picketd.start();
  const auto ran = run({"point", "status"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "picketctl: no distribution point runs here: the plugin org.picket.distribution-point is not there, or does not run (picketctl plugin list)\n");
}

TEST_F(Commands, a_part_that_does_not_answer_is_told_and_the_rest_shown) {
  answer_everything(picketd);
  picketd.answer_bytes("picket.update.status", [](std::string_view) { return CtlAnswer{{}, fail(Code::unavailable, "the engine is stopping"), false}; });
  picketd.start();
  const auto ran = run({"status"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.out.find("Policy       revision 7"), std::string::npos);
  EXPECT_NE(ran.out.find("updates: "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("the engine is stopping"), std::string::npos) << ran.out;
}

TEST_F(Commands, a_point_that_never_updated_itself_says_where_its_downloads_are_shown) {
  answer_everything(picketd);
  update::v1::StatusReply updates;
  updates.set_state("idle");
  picketd.answer_with("picket.update.status", updates);
  distribution_point::v1::StatusReply point;
  point.set_state("idle");
  picketd.answer_with("picket.distribution_point.status", point);
  picketd.start();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"status"}, {"update", "status"}})
    EXPECT_NE(run(words).out.find("never; what this distribution point downloads is shown by picketctl point status"), std::string::npos) << words.front();
}

TEST_F(Commands, shows_all_components_in_however_many_messages_they_come) {
  answer_everything(picketd);
  picketd.answer<update::v1::StatusRequest>("picket.update.status", [](const update::v1::StatusRequest& request) -> Result<std::string> {
    update::v1::StatusReply page;
    if (request.after().empty()) page.set_state("idle");
    page.add_components()->set_component(request.after().empty() ? "alpha" : "beta");
    page.set_more(request.after().empty());
    return page.SerializeAsString();
  });
  picketd.start();
  const auto ran = run({"update", "status"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const auto* text : {"idle", "alpha", "beta"}) EXPECT_NE(ran.out.find(text), std::string::npos) << ran.out;
}

TEST_F(Commands, an_answer_that_never_comes_ends_with_the_timeout) {
  picketd.answer_bytes("picket.plugin.list", [](std::string_view) { return CtlAnswer{{}, std::string(), true}; });
  picketd.start();
  const auto ran = run({"plugin", "list", "--timeout", "1"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_FALSE(ran.err.empty());
}

TEST_F(Commands, an_answer_of_another_version_is_told) {
  picketd.answer_bytes("picket.plugin.list", [](std::string_view) { return CtlAnswer{{}, std::string("\xff\xff\xff"), false}; });
  picketd.start();
  const auto ran = run({"plugin", "list"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("are picketctl and picketd of one version?"), std::string::npos) << ran.err;
}

TEST_F(Commands, progress_of_several_components_at_once_stays_readable) {
  picketd.answer_bytes("picket.update.run", [](std::string_view) {
    CtlAnswer answer;
    update::v1::Progress progress;
    progress.set_step("fetch");
    for (const std::uint64_t done : {0U, 10U, 20U, 30U})
      for (const char* component : {"lists", "rules"}) {
        progress.set_component(component);
        progress.set_total(30);
        progress.set_done(done);
        answer.chunks.push_back(progress.SerializeAsString());
      }
    update::v1::RunResult result;
    result.set_result("ok");
    answer.reply = result.SerializeAsString();
    return answer;
  });
  picketd.start();
  const auto ran = run({"update", "run"});
  EXPECT_EQ(ran.code, 0);
  for (const std::string line : {"fetch lists: 30 B\n", "fetch rules: 30 B\n"}) {
    const auto found = ran.err.find(line);
    ASSERT_NE(found, std::string::npos) << ran.err;
    EXPECT_EQ(ran.err.find(line, found + 1), std::string::npos) << "said again each time: " << ran.err;
  }
}

TEST_F(Commands, ctrl_c_cancels_at_the_other_side) {
  picketd.answer_bytes("picket.update.run", [](std::string_view) {
    update::v1::Progress progress;
    progress.set_step("check");
    return CtlAnswer{{progress.SerializeAsString()}, std::string(), true};
  });
  picketd.start();
  core::CancelSource cancel;
  std::thread ctrl_c([&] {
    EXPECT_TRUE(picketd.wait_for_request());
    cancel.cancel();
  });
  const auto ran = run({"update", "run"}, cancel.token());
  ctrl_c.join();
  EXPECT_EQ(ran.code, 130);
  EXPECT_TRUE(picketd.wait_for_cancel());
}

TEST_F(Commands, ctrl_c_is_how_watching_ends) {
  picketd.answer_bytes("picket.bus.watch", [](std::string_view) { return CtlAnswer{{}, std::string(), true}; });
  picketd.start();
  core::CancelSource cancel;
  std::thread ctrl_c([&] {
    EXPECT_TRUE(picketd.wait_for_request());
    cancel.cancel();
  });
  const auto ran = run({"bus", "watch"}, cancel.token());
  ctrl_c.join();
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(picketd.wait_for_cancel());
}

TEST_F(Commands, watching_ends_well_after_the_time_that_was_asked_for) {
  for (const auto* topic : {"picket.bus.watch", "picket.task.watch"}) picketd.answer_bytes(topic, [](std::string_view) { return CtlAnswer{{}, std::string(), true}; });
  picketd.start();
  // On a slow computer a second may not be enough to begin.
  const auto ended_with = [&](int code, std::vector<std::string> command) {
    command.insert(command.end(), {"--timeout", "1"});
    auto ran = run(command);
    if (ran.code != code) command.back() = "15", ran = run(command);
    EXPECT_EQ(ran.code, code) << command.front() << ": " << ran.err;
    return ran.err;
  };
  EXPECT_EQ(ended_with(0, {"bus", "watch"}), "");
  EXPECT_EQ(ended_with(0, {"task", "watch"}), "");
  (void)ended_with(1, {"task", "watch", "update"});  // what has an end was not seen to end
}

TEST_F(Commands, what_watching_missed_is_said_where_it_is_missing) {
  picketd.answer_bytes("picket.bus.watch", [](std::string_view) {
    host::v1::WatchEvent missed, seen;
    missed.set_what("missed");
    missed.set_missed(3);
    seen.set_what("publish");
    seen.set_topic("test.event");
    return CtlAnswer{{missed.SerializeAsString(), seen.SerializeAsString()}, std::string(), true};
  });
  picketd.start();
  const auto ran = run({"bus", "watch", "--count", "1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const auto lost = ran.out.find(" missed  3 messages, too fast to be shown\n"), next = ran.out.find(" publish test.event ");
  EXPECT_TRUE(lost < next && next != std::string::npos) << ran.out;
  const auto as_json = run({"bus", "watch", "--count", "1", "--json"});
  EXPECT_NE(as_json.out.find(R"("missed":3)"), std::string::npos) << as_json.out;
  EXPECT_NE(as_json.out.find(R"("missed":0)"), std::string::npos) << as_json.out;
}

TEST_F(Commands, a_failure_within_long_work_is_told_at_once) {
  picketd.answer_bytes("picket.update.run", [](std::string_view) { return CtlAnswer{{}, fail(Code::timeout, "no source answered in time"), false}; });
  picketd.start();
  const auto ran = run({"update", "run"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("no source answered in time"), std::string::npos) << ran.err;
}

TEST_F(Commands, update_run_passes_on_what_was_asked_for) {
  update::v1::RunRequest seen;
  picketd.answer<update::v1::RunRequest>("picket.update.run", [&](const auto& request) -> Result<std::string> {
    seen = request;
    update::v1::RunResult result;
    result.set_result("current");
    return result.SerializeAsString();
  });
  picketd.start();
  EXPECT_EQ(run({"update", "run", "a", "b", "--force"}).code, 0);
  EXPECT_EQ(seen.components_size(), 2);
  EXPECT_TRUE(seen.force_check());
}

TEST_F(Commands, update_results_have_exit_codes) {
  std::string result;
  picketd.answer<update::v1::RunRequest>("picket.update.run", [&](const auto&) -> Result<std::string> {
    update::v1::RunResult reply;
    reply.set_result(result);
    return reply.SerializeAsString();
  });
  picketd.start();
  for (const auto& [name, code] : std::vector<std::pair<std::string, int>>{{"ok", 0}, {"current", 0}, {"partial", 5}, {"failed", 1}, {"cancelled", 130}}) {
    result = name;
    EXPECT_EQ(run({"update", "run"}).code, code) << name;
  }
}

TEST_F(Commands, policy_apply_sends_the_file_and_tells_a_refusal) {
  std::string seen;
  picketd.answer<policy::v1::ApplyRequest>("picket.policy.apply", [&](const auto& request) -> Result<std::string> {
    seen = request.envelope();
    policy::v1::ApplyReply reply;
    reply.set_revision(7);
    reply.set_text("refused: revision 6 is older than revision 7");
    return reply.SerializeAsString();
  });
  picketd.start();
  const auto file = picketd.folder() / "policy.dsse";
  ASSERT_TRUE(write_file_atomic(file, "{\"payload\":\"\"}"));
  const auto ran = run({"policy", "apply", file.string()});
  EXPECT_EQ(seen, "{\"payload\":\"\"}");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "not applied: policy revision 7 is in force\nrefused: revision 6 is older than revision 7\n");
}

TEST_F(Commands, policy_apply_says_what_is_wrong_with_the_file) {
  picketd.start();
  EXPECT_NE(run({"policy", "apply", "/nonexistent/p.dsse"}).err.find("/nonexistent/p.dsse"), std::string::npos);
  const auto file = picketd.folder() / "large.dsse";
  ASSERT_TRUE(write_file_atomic(file, std::string(200'000, 'x')));
  const auto ran = run({"policy", "apply", file.string()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("at most 130048 bytes"), std::string::npos) << ran.err;
}

TEST_F(Commands, what_only_the_command_can_judge_is_wrong_usage_too) {
  answer_everything(picketd);
  picketd.start();
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{"bus", "watch", "bad filter!!"}, "'bad filter!!' is neither a topic nor a prefix that ends in .*; see picketctl bus watch --help"},
      {{"bus", "watch", "picket.update*"}, "'picket.update*' is neither a topic nor a prefix that ends in .*; see picketctl bus watch --help"},
      {{"update", "rollback", "yara-rules", "--steps", "0"}, "--steps: '0' is not a number from 1 to 1000; see picketctl update rollback --help"},
      {{"update", "history", "--limit", "many"}, "--limit: 'many' is not a number from 0 to 10000; see picketctl update history --help"}};
  for (const auto& [words, why] : wrong) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 2) << why;
    EXPECT_EQ(ran.err, cat("picketctl: ", why, "\n"));
  }
}

TEST_F(Commands, update_explain_knows_which_components_there_are) {
  answer_everything(picketd);
  picketd.start();
  const auto ran = run({"update", "explain", "nosuch"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "picketctl: there is no component 'nosuch'; see picketctl component list\n");
  EXPECT_EQ(run({"update", "explain", "yara-rules"}).code, 0);
  EXPECT_EQ(run({"update", "explain", "url-list"}).code, 0) << "known, and nothing was decided about it";
}

TEST_F(Commands, update_explain_says_that_nothing_was_decided) {
  update::v1::ExplainReply reply;
  reply.set_run(3);
  picketd.answer_with("picket.update.explain", reply);
  picketd.start();
  EXPECT_EQ(run({"update", "explain"}).out, "run 3\nnothing was decided; picketctl update history says how it ended\n");
}

TEST_F(Commands, policy_show_document_in_json_has_the_envelope) {
  answer_everything(picketd);
  picketd.start();
  const auto ran = run({"policy", "show", "--document", "--json"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.out.find(R"("schema":"picketctl/1","command":"policy show","data":{"policy_json":{)"), std::string::npos) << ran.out;
}

TEST_F(Commands, policy_show_document_is_the_document_alone) {
  answer_everything(picketd);
  picketd.start();
  EXPECT_EQ(run({"policy", "show", "--document"}).out, sample_policy().policy_json());
}

TEST_F(Commands, scan_makes_paths_absolute_and_refuses_what_is_not_there) {
  scan::v1::ScanRequest seen;
  picketd.answer<scan::v1::ScanRequest>("picket.scan.run", [&](const auto& request) -> Result<std::string> {
    seen = request;
    return scan::v1::ScanReply().SerializeAsString();
  });
  picketd.start();
  EXPECT_EQ(run({"scan", ".", "/tmp/../tmp", "--max-file-bytes", "5"}).code, 0);
  ASSERT_EQ(seen.paths_size(), 2);
  EXPECT_TRUE(seen.paths(0).starts_with("/"));
  EXPECT_EQ(seen.paths(1), "/tmp");
  EXPECT_EQ(seen.max_file_bytes(), 5U);
  const auto absent = run({"scan", "/nonexistent"});
  EXPECT_EQ(absent.code, 1);
  EXPECT_EQ(absent.err, "picketctl: /nonexistent: no such file or folder\n");
}

TEST_F(Commands, scan_has_exit_codes) {
  scan::v1::ScanReply reply;
  picketd.answer<scan::v1::ScanRequest>("picket.scan.run", [&](const auto&) -> Result<std::string> { return reply.SerializeAsString(); });
  picketd.start();
  EXPECT_EQ(run({"scan", "/tmp"}).code, 0);
  reply.set_skipped(1);
  EXPECT_EQ(run({"scan", "/tmp"}).code, 5);
  reply.set_skipped(0);
  reply.set_suspected(1);
  EXPECT_EQ(run({"scan", "/tmp"}).code, 5) << "nothing found, and not everything could be told";
  reply.set_findings(1);
  EXPECT_EQ(run({"scan", "/tmp"}).code, 4);
}

TEST_F(Commands, output_that_cannot_be_written_is_a_failure) {
  answer_everything(picketd);
  picketd.start();
  ctl::Terminal terminal(-1, -1);
  terminal.out("x");
  EXPECT_TRUE(terminal.failed());
}

TEST_F(Commands, completion_prints_the_script_for_bash_only) {
  const auto ran = run({"completion", "bash"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.out.find("complete -F _picketctl picketctl"), std::string::npos);
  EXPECT_EQ(run({"completion", "fish"}).code, 2);
}

}  // namespace
}  // namespace picket::test
