// Every command's real output against sdk/schema/picketctl.schema.json, and nothing that it does not describe.
#include <sstream>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "ctl/command.hpp"
#include "ctl/proto_json.hpp"
#include "policy/schema.hpp"
#include "sample_picketd.hpp"

namespace picket::test {
namespace {

namespace json = boost::json;

// The published schema lets members be added; here each must be described.
void make_strict(json::value& schema) {
  if (auto* array = schema.if_array())
    for (auto& element : *array) make_strict(element);
  auto* object = schema.if_object();
  if (object == nullptr) return;
  for (auto& member : *object) make_strict(member.value());
  const auto* type = object->if_contains("type");
  if (type != nullptr && type->is_string() && type->get_string() == "object" && object->contains("properties")) (*object)["additionalProperties"] = false;
}

struct PublishedSchema {
  json::value whole;
  std::map<std::string, json::value> data;

  PublishedSchema() {
    auto text = read_file(PICKETCTL_SCHEMA, 1u << 20);
    EXPECT_TRUE(text);
    whole = json::parse(*text);
    auto strict = whole.at("definitions");
    make_strict(strict);
    for (const auto& each : whole.at("oneOf").as_array()) {
      const auto* command = each.at("properties").as_object().if_contains("command");
      if (command == nullptr) continue;
      json::value schema = each.at("properties").at("data");
      make_strict(schema);
      schema.as_object()["definitions"] = strict;
      data[std::string(command->at("const").as_string())] = std::move(schema);
    }
  }
};

std::string violation(const json::value& schema, const json::value& value) {
  const auto compiled = policy::CompiledSchema::compile(json::serialize(schema));
  if (!compiled) return compiled.error().message;
  const auto found = compiled->check(value);
  return found ? policy::format_name(found->path) + ": " + found->what : "";
}

class JsonOutput : public ::testing::Test {
 protected:
  void SetUp() override {
    answer_everything(picketd);
    picketd.start();
  }
  CtlRan run(std::vector<std::string> arguments) {
    for (const auto* extra : {"--json", "--socket"}) arguments.emplace_back(extra);
    arguments.push_back(picketd.socket());
    return run_ctl(std::move(arguments), {}, sample_now);
  }
  CtlPicketd picketd;
  const PublishedSchema schema;
};

TEST_F(JsonOutput, of_every_command_fits_the_published_schema) {
  const auto file = picketd.folder() / "policy.dsse";
  ASSERT_TRUE(write_file_atomic(file, "{}"));
  const std::map<std::string, std::vector<std::string>> arguments{
      {"plugin info", {"x"}}, {"plugin restart", {"x"}}, {"update rollback", {"yara-rules"}}, {"update export", {"/media/stick/picket"}}, {"task show", {"nightly"}}, {"task run", {"update"}}, {"task watch", {"update"}}, {"task cancel", {"update"}}, {"policy apply", {file.string()}}, {"policy explain", {"x"}}, {"scan", {"/tmp"}}, {"ksn check", {std::string(64, 'a')}}, {"ksn software", {"/"}}, {"bus watch", {"--count", "1", "--payloads"}}};
  std::size_t checked = 0;
  for (const auto& command : ctl::commands()) {
    const std::string name = command.name;
    if (name == "help" || name == "completion") continue;  // texts
    ASSERT_TRUE(schema.data.contains(name)) << name << " is not in the schema";
    std::vector<std::string> line;
    std::istringstream words(name);
    for (std::string word; words >> word;) line.push_back(word);
    if (const auto more = arguments.find(name); more != arguments.end()) line.insert(line.end(), more->second.begin(), more->second.end());
    const auto ran = run(line);
    ASSERT_FALSE(ran.out.empty()) << name << ": " << ran.err;
    EXPECT_EQ(ran.out.find('\n'), ran.out.size() - 1) << name << " is one line";
    const auto document = json::parse(ran.out);
    EXPECT_EQ(document.at("command").as_string(), name);
    EXPECT_EQ(violation(schema.whole, document), "") << ran.out;
    EXPECT_EQ(violation(schema.data.at(name), document.at("data")), "") << name << ran.out;
    EXPECT_EQ(ran.err, "") << name << ": no progress beside JSON";
    ++checked;
  }
  EXPECT_EQ(checked, schema.data.size()) << "the schema describes a command that is not there";
}

TEST_F(JsonOutput, of_errors_fits_too) {
  CtlPicketd empty;
  const auto ran = run_ctl({"status", "--json", "--socket", empty.socket()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(violation(schema.whole, json::parse(ran.out)), "") << ran.out;
}

TEST_F(JsonOutput, the_test_would_notice_a_missing_and_an_additional_member) {
  auto document = json::parse(run({"plugin", "list"}).out);
  document.at("data").as_object()["extra"] = 1;
  EXPECT_NE(violation(schema.data.at("plugin list"), document.at("data")), "");
  document.at("data").as_object().erase("extra");
  document.at("data").at("plugins").as_array()[0].as_object().erase("id");
  EXPECT_NE(violation(schema.data.at("plugin list"), document.at("data")), "");
  EXPECT_NE(violation(schema.whole, document), "");
}

TEST(ProtoJson, keeps_names_numbers_and_json) {
  const auto info = ctl::to_json(sample_plugin_info());
  EXPECT_EQ(info.at("published"), 7);
  EXPECT_EQ(info.at("settings_json").at("max_mb"), 100);
  EXPECT_EQ(info.at("status").at("pid"), 0);
  host::v1::PluginInfoReply empty;
  EXPECT_TRUE(ctl::to_json(empty).at("status").is_null());
  EXPECT_EQ(ctl::to_json(empty).at("manifest_json"), "");
  policy::v1::ApplyRequest bytes;
  bytes.set_envelope(std::string("\0\xff", 2));
  EXPECT_EQ(ctl::to_json(bytes).at("envelope"), "AP8=");
}

TEST(ProtoJson, decodes_known_payloads_only) {
  ksn::v1::KsnState state;
  state.set_text("x");
  EXPECT_EQ(ctl::payload_to_json("application/x-protobuf; messageType=picket.ksn.v1.KsnState", state.SerializeAsString())->at("text"), "x");
  EXPECT_EQ(ctl::payload_to_json("application/x-protobuf; messageType=org.acme.Thing", "").error().code, Code::not_found);
  EXPECT_EQ(ctl::payload_to_json("text/plain", "").error().code, Code::not_found);
  EXPECT_EQ(ctl::payload_to_json("application/x-protobuf; messageType=picket.ksn.v1.KsnState", "\xff").error().code, Code::invalid);
  for (const auto* name : {"picket.host.v1.WatchEvent", "picket.update.v1.Progress", "picket.update.v1.StatusReply", "picket.component.v1.ActivateRequest", "picket.source.v1.FetchRequest",
                           "picket.scan.v1.ScanEvent", "picket.policy.v1.ApplyReply", "picket.task.v1.WorkRequest", "picket.task.v1.ListReply", "picket.host.v1.TopicsReply"})
    EXPECT_TRUE(ctl::payload_to_json(std::string("application/x-protobuf; messageType=") + name, "")) << name;
}

}  // namespace
}  // namespace picket::test
