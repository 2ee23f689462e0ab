#include "sample_picketd.hpp"

#include <gtest/gtest.h>

#include "picket/distribution_point/v1/distribution_point.pb.h"
#include "picket/update/v1/sources.pb.h"

namespace picket::test {

namespace {

void answer_ksn(CtlPicketd& picketd) {
  picketd.answer_with("picket.ksn.status", sample_ksn());
  picketd.answer_with("picket.ksn.check", sample_checked());
  picketd.answer_with("picket.ksn.software", sample_software());
  ksn::v1::SentReply sent;
  sent.set_last(R"({"path":"/ksn/v1/hello","bytes":30,"asker":{"licence":"lic"}})");
  sent.set_last_when(sample_now - 5);
  sent.set_last_to("proxy ksn.site:13111");
  sent.set_last_taken(true);
  picketd.answer_with("picket.ksn.sent", sent);
  ksn::v1::ConnectionReply connection;
  auto& tried = *connection.add_tried();
  tried.set_address("https://ksn.site:13111");
  tried.set_works(true);
  tried.set_proxy(true);
  tried.set_ksn("Our KSN");
  tried.set_protocol("HTTP/2");
  tried.set_milliseconds(12);
  tried.set_text("a KSN proxy");
  picketd.answer_with("picket.ksn.connection", connection);
  ksn::v1::StatementReply statement;
  *statement.mutable_statement() = sample_statement();
  statement.mutable_statement()->set_text("Version: 2\nThe text.\n");
  statement.add_languages("en");
  picketd.answer_with("picket.ksn.statement", statement);
  ksn::v1::DecideReply decided;
  *decided.mutable_statement() = sample_statement();
  decided.set_status("Enabled (Private, Extended); no exchange yet");
  picketd.answer_with("picket.ksn.decide", decided);
  ksn::v1::SwitchReply switched;
  switched.set_status("Disabled: switched off by ann");
  switched.set_cleared(3);
  picketd.answer_with("picket.ksn.switch", switched);
  ksn::v1::ServerStatusReply proxy;
  proxy.set_state("serves");
  proxy.add_addresses("0.0.0.0:13111");
  proxy.set_since(sample_now - 60);
  (*proxy.mutable_counters())["requests"] = 7;
  picketd.answer_with("picket.ksn.proxy.status", proxy);
  picketd.answer_with("picket.ksn.service.status", proxy);
  distribution_point::v1::StatusReply point;
  point.set_state("idle");
  point.set_set(7);
  point.set_published(sample_now - 7200);
  point.add_addresses("http 0.0.0.0:13080");
  point.set_devices(10'000);
  point.set_most_devices(10'000);
  point.set_displaced_devices(12);
  point.set_refused_wishes(3);
  auto& wish = *point.add_wishes();
  wish.set_component("yara-rules");
  wish.set_variant("full");
  wish.set_release(12);
  wish.set_askers(8);
  for (const char* by : {"agent", "pc-1", "pc-2", "pc-3", "pc-4", "pc-5"}) wish.add_by(by);
  auto& other = *point.add_wishes();
  other.set_component("digests");
  other.set_variant("light");
  other.set_askers(1);
  other.add_by("pc-9");
  auto& untried = *point.add_wishes();
  untried.set_component("url-list");
  untried.set_variant("full");
  untried.set_release(3);
  untried.set_unverified(true);
  untried.set_askers(1);
  untried.add_by("pc-9");
  auto& last = *point.mutable_last();
  last.set_overall("partial");
  last.set_rule("strict");
  last.set_finished(sample_now - 60);
  auto& part = *last.add_points();
  part.set_point("site 1");
  part.set_result_class("partial");
  part.set_reason("does not hold all that is demanded");
  part.add_missing("digests/light: the repository does not offer it");
  part.set_files(2);
  part.set_bytes(3000);
  part.set_source("vendor");
  for (const auto& [source, text] : {std::pair("branch", "rests for 240 s more after: connection refused"), std::pair("vendor", "taken: the first source whose metadata are good")}) {
    auto& step = *part.add_steps();
    step.set_source(source);
    step.set_text(text);
  }
  picketd.answer_with("picket.distribution_point.status", point);
}

}  // namespace

void answer_everything(CtlPicketd& picketd) {
  answer_ksn(picketd);
  picketd.answer_with("picket.host.status", sample_host());
  picketd.answer_with("picket.plugin.list", sample_plugins());
  picketd.answer_with("picket.plugin.info", sample_plugin_info());
  host::v1::PluginRestartReply restarted;
  *restarted.mutable_status() = sample_plugins().plugins(0);
  picketd.answer_with("picket.plugin.restart", restarted);
  picketd.answer_with("picket.update.status", sample_updates());
  picketd.answer_with("picket.component.list", sample_updates());
  picketd.answer_with("picket.task.list", sample_tasks());
  picketd.answer_with("picket.task.show", sample_tasks().tasks(1));
  picketd.answer_with("picket.task.cancel", sample_tasks().tasks(0).last());
  task::v1::HistoryReply task_runs;
  *task_runs.add_runs() = sample_tasks().tasks(0).last();
  picketd.answer_with("picket.task.history", task_runs);
  picketd.answer_bytes("picket.task.run", [](std::string_view) {
    update::v1::Progress progress;
    progress.set_step("fetch");
    progress.set_total(100);
    progress.set_done(100);
    return CtlAnswer{{progress.SerializeAsString()}, sample_tasks().tasks(0).last().SerializeAsString(), false};
  });
  picketd.answer_bytes("picket.task.watch", [](std::string_view bytes) {
    task::v1::WatchRequest request;
    EXPECT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    task::v1::WatchEvent event;
    event.set_task("update");
    event.mutable_progress()->set_step("check");
    CtlAnswer answer{{event.SerializeAsString()}, sample_tasks().tasks(0).last().SerializeAsString(), false};
    if (request.id().empty()) {
      *event.mutable_finished() = sample_tasks().tasks(0).last();
      answer = {{event.SerializeAsString()}, fail(Code::cancelled, "interrupted"), false};
    }
    return answer;
  });
  picketd.answer_with("picket.policy.show", sample_policy());
  picketd.answer_with("picket.policy.apply", sample_applied());
  picketd.answer_with("picket.policy.explain", sample_explained());
  update::v1::HistoryReply history;
  *history.add_runs() = sample_run();
  picketd.answer_with("picket.update.history", history);
  update::v1::ExplainReply explained;
  explained.set_run(12);
  auto& step = *explained.add_steps();
  step.set_at_ms(3);
  step.set_component("yara-rules");
  step.set_source("mirror");
  step.set_decision("a delta from 11 to 12 is fewer bytes");
  picketd.answer_with("picket.update.explain", explained);
  update::v1::WhatIsSentReply sent;
  sent.set_on(true);
  sent.set_user_agent("Picket/0.1.0 (installation 5f0c; licence -; run 13)");
  auto& item = *sent.add_items();
  item.set_name("run");
  item.set_value("13");
  item.set_meaning("the next run; each has its own number");
  picketd.answer_with("picket.update.what_is_sent", sent);
  const auto run = [](std::string_view) {
    update::v1::Progress progress;
    progress.set_step("fetch");
    progress.set_component("yara-rules");
    progress.set_total(100);
    CtlAnswer answer;
    for (const std::uint64_t done : {0U, 50U, 100U}) {
      progress.set_done(done);
      answer.chunks.push_back(progress.SerializeAsString());
    }
    progress.set_step("activate");
    progress.set_total(0);
    progress.set_text("release 12");
    answer.chunks.push_back(progress.SerializeAsString());
    answer.reply = sample_run().SerializeAsString();
    return answer;
  };
  picketd.answer_bytes("picket.update.run", run);
  picketd.answer_bytes("picket.update.rollback", run);
  picketd.answer_bytes("picket.update.export", run);
  picketd.answer_bytes("picket.scan.run", [](std::string_view) {
    CtlAnswer answer;
    scan::v1::ScanEvent event;
    event.mutable_progress()->set_bytes(10);
    answer.chunks.push_back(event.SerializeAsString());
    event.mutable_finding()->set_path("/tmp/e\nvil");
    event.mutable_finding()->set_rule("Evil_Rule");
    event.mutable_finding()->add_tags("trojan");
    event.mutable_finding()->set_description("a test");
    event.mutable_finding()->set_decided_by("rule");
    answer.chunks.push_back(event.SerializeAsString());
    event.mutable_finding()->Clear();
    event.mutable_finding()->set_path("/tmp/listed");
    event.mutable_finding()->set_rule("Trojan.A\x1b");
    event.mutable_finding()->set_decided_by("ksn");
    event.mutable_finding()->set_category("malware");
    event.mutable_finding()->set_sha256(std::string(64, '0'));
    answer.chunks.push_back(event.SerializeAsString());
    event.mutable_finding()->set_path("/tmp/maybe");
    event.mutable_finding()->set_rule("suspected");
    event.mutable_finding()->set_decided_by("filter");
    event.mutable_finding()->set_suspected(true);
    event.mutable_finding()->clear_category();
    answer.chunks.push_back(event.SerializeAsString());
    event.mutable_skipped()->set_path("/tmp/huge");
    event.mutable_skipped()->set_why("too large");
    answer.chunks.push_back(event.SerializeAsString());
    scan::v1::ScanReply reply;
    reply.set_files(2);
    reply.set_bytes(2000);
    reply.set_findings(2);
    reply.set_skipped(1);
    reply.set_release(12);
    reply.set_variant("full");
    reply.set_digests_release(3);
    reply.set_digests_variant("light");
    reply.set_suspected(1);
    reply.set_suppressed(1);
    reply.set_asked(4);
    reply.set_note("KSN does not answer (no network)");
    reply.set_elapsed_ms(5);
    answer.reply = reply.SerializeAsString();
    return answer;
  });
  picketd.answer_bytes("picket.bus.watch", [](std::string_view bytes) {
    host::v1::WatchRequest request;
    EXPECT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    host::v1::WatchEvent event;
    event.set_at_us(sample_now * 1'000'000 + 250);
    event.set_what("publish");
    event.set_topic("picket.ksn.state");
    event.set_from("org.picket.ksn-client");
    event.set_content_type("application/x-protobuf; messageType=picket.ksn.v1.KsnState");
    ksn::v1::KsnState state;
    state.set_in_use(true);
    state.set_text("Enabled");
    if (request.payloads()) event.set_payload(state.SerializeAsString());
    event.set_size(static_cast<std::uint32_t>(state.ByteSizeLong()));
    CtlAnswer answer;
    answer.chunks = {event.SerializeAsString(), event.SerializeAsString()};
    answer.reply = host::v1::WatchReply().SerializeAsString();
    return answer;
  });
  host::v1::TopicsReply topics;
  auto& topic = *topics.add_topics();
  topic.set_topic("picket.update.run");
  topic.set_kind("request");
  topic.add_answerers("picket.update");
  topic.set_messages(2);
  picketd.answer_with("picket.bus.topics", topics);
  host::v1::HostConfigReply config;
  const auto add = [&](const char* name, const std::string& value, const char* from) {
    auto& row = *config.add_values();
    row.set_name(name);
    row.set_value(value);
    row.set_from(from);
  };
  add("data-dir", "/var/lib/picket", "default");
  add("log-level", "debug", "file");
  picketd.answer_with("picket.host.config", config);
}

}  // namespace picket::test
