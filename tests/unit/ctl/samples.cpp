#include "samples.hpp"

namespace picket::test {

host::v1::HostStatusReply sample_host() {
  host::v1::HostStatusReply out;
  out.set_version("0.1.0");
  out.set_started(sample_now - 3 * 3600 - 720);
  out.set_pid(4711);
  out.set_data_dir("/var/lib/picket");
  out.set_device_status("Warning");
  out.add_reasons("org.acme.bad failed");
  return out;
}

host::v1::PluginListReply sample_plugins() {
  host::v1::PluginListReply out;
  auto& good = *out.add_plugins();
  good.set_id("org.picket.scanner");
  good.set_version("1.2.0");
  good.set_vendor("Picket");
  good.set_home("in-process");
  good.set_state("running");
  good.set_health("healthy");
  good.set_since(sample_now - 120);
  good.set_settings_revision(3);
  good.set_observed_revision(3);
  auto& bad = *out.add_plugins();
  bad.set_id("org.acme.bad");
  bad.set_version("0.9");
  bad.set_vendor("Acme");
  bad.set_home("isolated");
  bad.set_state("failed");
  bad.set_health("unknown");
  bad.set_text("crashed 5 times:\x1b[31m SIGSEGV");
  bad.set_restarts(5);
  bad.set_since(sample_now - 86400);
  return out;
}

host::v1::PluginInfoReply sample_plugin_info() {
  host::v1::PluginInfoReply out;
  *out.mutable_status() = sample_plugins().plugins(0);
  out.set_manifest_json(R"({"id":"org.picket.scanner"})");
  out.set_path("/usr/lib/picket/plugins/org.picket.scanner/1.2.0");
  out.set_signed_by("0a1b2c");
  out.set_settings_json(R"({"max_mb":100})");
  out.set_published(7);
  return out;
}

update::v1::RunResult sample_run() {
  update::v1::RunResult out;
  out.set_run(12);
  out.set_kind("update");
  out.set_result("partial");
  out.set_started(sample_now - 305);
  out.set_finished(sample_now - 300);
  out.set_source("mirror");
  out.set_bytes(1'400'000);
  auto& good = *out.add_components();
  good.set_component("yara-rules");
  good.set_result("updated");
  good.set_variant("full");
  good.set_release_before(11);
  good.set_release_after(12);
  good.set_bytes(1'300'000);
  auto& bad = *out.add_components();
  bad.set_component("url-list");
  bad.set_result("failed");
  bad.set_variant("full");
  bad.set_text("no source has it");
  return out;
}

update::v1::StatusReply sample_updates() {
  update::v1::StatusReply out;
  out.set_state("idle");
  *out.mutable_last() = sample_run();
  auto& rules = *out.add_components();
  rules.set_component("yara-rules");
  rules.set_class_("databases");
  rules.set_variant("full");
  rules.set_wanted_variant("light");
  rules.set_change_pending(true);
  rules.set_release(12);
  rules.set_version("2027.1");
  rules.set_published(sample_now - 7200);
  rules.set_activated(sample_now - 300);
  rules.set_freshness("ok");
  rules.add_demanded_by("org.picket.scanner");
  rules.add_kept(10);
  rules.add_kept(11);
  auto& list = *out.add_components();
  list.set_component("url-list");
  list.set_class_("databases");
  list.set_freshness("none");
  list.add_demanded_by("org.acme.bad");
  auto& source = *out.add_sources();
  source.set_name("mirror");
  source.set_plugin("org.picket.source-http");
  source.set_location("https://updates.example.org/");
  source.set_state("ok");
  auto& resting = *out.add_sources();
  resting.set_name("usb");
  resting.set_plugin("org.picket.source-folder");
  resting.set_location("/media/usb");
  resting.set_state("resting");
  resting.set_text("no such folder");
  resting.set_next_attempt(sample_now + 240);
  out.set_wanted_variant("light");
  out.set_variant_reason("cloud mode is on and KSN is in use");
  out.set_change_pending(true);
  out.set_next_run(sample_now + 3600);
  return out;
}

task::v1::ListReply sample_tasks() {
  task::v1::ListReply out;
  auto& update = *out.add_tasks();
  update.set_id("update");
  update.set_type("update");
  update.set_origin("built-in");
  update.set_enabled(true);
  update.set_schedule("automatic, every 2 h, in an outbreak 15 min");
  update.set_state("idle");
  update.set_next_run(sample_now + 1800);
  auto& last = *update.mutable_last();
  last.set_run(7);
  last.set_task("update");
  last.set_type("update");
  last.set_trigger("schedule");
  last.set_result("partial");
  last.set_started(sample_now - 3605);
  last.set_finished(sample_now - 3600);
  last.set_text("url-list: no source\x1b[31m has it");
  auto& part = *last.add_parts();
  part.set_name("url-list");
  part.set_result("failed");
  part.set_text("no source has it");
  auto& mine = *out.add_tasks();
  mine.set_id("nightly");
  mine.set_type("colour");
  mine.set_origin("settings");
  mine.set_schedule("daily at 03:00");
  mine.set_state("disabled");
  mine.set_text("no plugin that runs offers tasks of type 'colour'");
  mine.set_definition_json(R"({"type":"colour"})");
  out.add_types("rollback");
  out.add_types("update");
  return out;
}

policy::v1::ShowReply sample_policy() {
  policy::v1::ShowReply out;
  out.set_policy_json(R"({"policy":1,"revision":7,"audience":{"tenant":"acme"},"plugins":{"org.picket.scanner":{"settings":{"max_mb":50},"locked":true}}})");
  out.set_revision(7);
  out.set_signed_by("f00d");
  out.set_applied(sample_now - 86400);
  out.set_expires(sample_now + 30 * 86400);
  return out;
}

policy::v1::ApplyReply sample_applied() {
  policy::v1::ApplyReply out;
  out.set_revision(8);
  out.set_applied(true);
  auto& plugin = *out.add_plugins();
  plugin.set_plugin("org.picket.scanner");
  plugin.set_expected_revision(4);
  plugin.set_observed_revision(4);
  plugin.set_health("healthy");
  return out;
}

policy::v1::ExplainReply sample_explained() {
  policy::v1::ExplainReply out;
  out.set_plugin("org.picket.scanner");
  auto& setting = *out.add_settings();
  setting.set_setting("max_mb");
  setting.set_value_json("50");
  const auto layer = [&](const char* name, const char* value, bool wins) {
    auto& row = *setting.add_layers();
    row.set_layer(name);
    row.set_value_json(value);
    row.set_wins(wins);
  };
  layer("default", "100", false);
  layer("policy", "", false);
  layer("local", "900", false);
  layer("locked policy", "50", true);
  auto& topics = *out.add_topics();
  topics.set_list("asks");
  topics.add_allowed("picket.ksn.check");
  topics.add_taken_away("picket.digests.find");
  topics.add_taken_away("picket.update.*");
  return out;
}

ksn::v1::StatusReply sample_ksn() {
  ksn::v1::StatusReply out;
  out.set_status("Enabled. Not available");
  out.set_line("Enabled. Not available (Private, Extended): proxy ksn.site:13111: no network; since 2027-01-15 07:00:00 UTC; next attempt 2027-01-15 08:01:00 UTC; last exchange 2027-01-15 06:00:00 UTC by proxy ksn.site:13111");
  out.set_kind("Private");
  out.set_mode("Extended");
  out.set_cause("proxy ksn.site:13111: no network");
  out.set_since(sample_now - 3600);
  out.set_next_attempt(sample_now + 60);
  out.set_last_exchange(sample_now - 7200);
  out.set_device_status("Warning");
  out.set_road("proxy ksn.site:13111");
  out.mutable_provider()->set_name("Our KSN");
  out.mutable_provider()->set_contact("ksn@example.org");
  out.mutable_provider()->set_created(sample_now - 86400);
  out.mutable_provider()->set_private_ksn(true);
  out.mutable_provider()->add_servers("https://ksn.example");
  *out.mutable_statement() = sample_statement();
  (*out.mutable_counters())["files"] = 12;
  return out;
}

ksn::v1::Statement sample_statement() {
  ksn::v1::Statement out;
  out.set_version("2");
  out.set_language("en");
  out.set_digest(std::string(64, 'd'));
  out.set_decision("declined");
  out.set_who("ann");
  out.set_when(sample_now - 600);
  out.set_accepted_version("1");
  return out;
}

ksn::v1::CheckReply sample_checked() {
  ksn::v1::CheckReply out;
  auto& checked = *out.add_checked();
  checked.set_from(ksn::v1::Checked::PROXY);
  checked.set_ksn("Our KSN");
  checked.set_private_ksn(true);
  auto& facts = *checked.mutable_facts();
  facts.set_verdict(ksn::v1::VERDICT_UNTRUSTED);
  facts.set_threat("Trojan.Test\x1b[31m");
  facts.set_category("malware");
  facts.set_popularity(42);
  facts.set_first_seen(sample_now - 86400);
  facts.add_countries("DE");
  facts.set_ttl_seconds(3600);
  facts.set_trust_group(ksn::v1::TRUST_GROUP_HIGH_RESTRICTED);
  facts.set_signature(ksn::v1::SIGNATURE_NONE);
  return out;
}

ksn::v1::SoftwareReply sample_software() {
  ksn::v1::SoftwareReply out;
  auto& checked = *out.mutable_checked();
  checked.set_from(ksn::v1::Checked::CACHE);
  checked.set_ksn("Our KSN");
  checked.set_private_ksn(true);
  checked.mutable_facts()->set_verdict(ksn::v1::VERDICT_TRUSTED);
  checked.mutable_facts()->set_popularity(250'000);
  checked.set_matched("Acme, Tool");
  out.mutable_file()->set_from(ksn::v1::Checked::SERVER);
  out.mutable_file()->mutable_facts()->set_ttl_seconds(600);
  out.mutable_software()->set_publisher("Acme");
  out.mutable_software()->set_product("Tool");
  out.set_identified_by("dpkg");
  out.set_signature_valid(true);
  out.set_text("trusted: Tool of Acme\x1b[31m, version 2");
  out.set_decided_by("software");
  return out;
}

}  // namespace picket::test
