#include "package/manifest.hpp"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "package/settings_schema.hpp"

namespace picket::package {

namespace {

namespace json = boost::json;

constexpr const char* kWhole = R"({"manifest":1,"id":"org.picket.source-http","name":"HTTP update source","version":"0.1.0","vendor":"Picket","description":"",
  "file":"source_http.so","sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","abi":{"major":1,"minor_needed":0},
  "isolation":{"preferred":"in-process","minimum":"in-process"},"requires_extensions":["picket.bus/1"],
  "topics":{"publishes":[{"topic":"picket.ksn.state","kind":"state"}],"subscribes":["picket.component.*"],"answers":["picket.source.fetch"],"asks":["picket.scan.run"]},
  "capabilities":["net.connect:*","fs.read:/"],"limits":{"memory_mb":128,"callback_ms":500,"queue_messages":64,"queue_bytes":262144,"storage_mb":1},
  "demands":[{"component":"yara-rules","class":"databases"}],"settings_schema":{"type":"object","properties":{"rate":{"type":"number","minimum":0.5}}},"minimum_agent":"0.1.0"})";

// `path` is a JSON pointer; an empty value removes the member.
std::string with(std::string_view path, std::string_view value) {
  auto whole = json::parse(kWhole);
  const auto slash = path.rfind('/');
  boost::system::error_code none;
  auto& parent = (slash == 0 ? &whole : whole.find_pointer(path.substr(0, slash), none))->get_object();
  if (value.empty()) parent.erase(path.substr(slash + 1));
  else parent[path.substr(slash + 1)] = json::parse(value);
  return json::serialize(whole);
}

bool schema_takes(const std::string& text) {
  return !SettingsSchema::compile(read_file(PICKET_MANIFEST_SCHEMA, 1u << 20).value()).value().check(json::parse(text));
}

TEST(Manifest, reads_every_member) {
  const auto m = Manifest::parse(kWhole);
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->id, "org.picket.source-http");
  EXPECT_EQ(m->name, "HTTP update source");
  EXPECT_EQ(m->version, "0.1.0");
  EXPECT_EQ(m->vendor, "Picket");
  EXPECT_EQ(m->file, "source_http.so");
  EXPECT_EQ(m->abi_major, 1);
  EXPECT_EQ(m->preferred, Isolation::in_process);
  EXPECT_EQ(m->minimum, Isolation::in_process);
  EXPECT_EQ(m->requires_extensions, std::vector<std::string>{"picket.bus/1"});
  ASSERT_EQ(m->topics.publishes.size(), 1u);
  EXPECT_EQ(m->topics.publishes[0].topic, "picket.ksn.state");
  EXPECT_EQ(m->topics.publishes[0].kind, TopicKind::state);
  EXPECT_EQ(m->topics.subscribes, std::vector<std::string>{"picket.component.*"});
  EXPECT_EQ(m->topics.answers, std::vector<std::string>{"picket.source.fetch"});
  EXPECT_EQ(m->topics.asks, std::vector<std::string>{"picket.scan.run"});
  EXPECT_EQ(m->capabilities.size(), 2u);
  EXPECT_EQ(m->limits.memory_mb, 128u);
  EXPECT_EQ(m->limits.callback_ms, 500u);
  EXPECT_EQ(m->limits.queue_messages, 64u);
  EXPECT_EQ(m->limits.queue_bytes, 262144u);
  EXPECT_EQ(m->limits.storage_mb, 1u);
  ASSERT_EQ(m->demands.size(), 1u);
  EXPECT_EQ(m->demands[0].component_class, "databases");
  EXPECT_FALSE(m->demands[0].optional);
  const auto optional = Manifest::parse(with("/demands", R"([{"component":"x","class":"databases","optional":true}])"));
  ASSERT_TRUE(optional) << optional.error().message;
  EXPECT_TRUE(optional->demands.at(0).optional);
  EXPECT_NE(m->settings_schema.find("rate"), std::string::npos);
  EXPECT_EQ(m->minimum_agent, "0.1.0");
  EXPECT_TRUE(schema_takes(kWhole));
  const auto every = with("/capabilities", R"(["fs.read:/","fs.write:/x","net.connect:*","net.listen:80","exec","proc.inspect"])");
  EXPECT_TRUE(Manifest::parse(every));
  EXPECT_TRUE(schema_takes(every));
}

TEST(Manifest, fills_defaults_that_are_the_safer_choice) {
  const std::string least = R"({"manifest":1,"id":"com.vendor.x","version":"1.0.0","file":"x.so","abi":{"major":1}})";
  const auto m = Manifest::parse(least, false);
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->preferred, Isolation::isolated);
  EXPECT_EQ(m->minimum, Isolation::in_process);
  EXPECT_EQ(m->limits.callback_ms, 1000u);
  EXPECT_EQ(m->limits.memory_mb, 256u);
  EXPECT_TRUE(m->topics.publishes.empty());
  EXPECT_NE(m->settings_schema.find("\"additionalProperties\":false"), std::string::npos);
  EXPECT_TRUE(schema_takes(least));
  const auto packed = Manifest::parse(least);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().message, "sha256 is missing");
}

struct Wrong {
  const char* path;
  const char* value;
  const char* says;
};
class WrongManifest : public ::testing::TestWithParam<Wrong> {};

INSTANTIATE_TEST_SUITE_P(Each, WrongManifest, ::testing::Values(
    Wrong{"/manifest", "2", "manifest must be a whole number from 1 to 1"}, Wrong{"/manifest", "", "manifest is missing"},
    Wrong{"/id", "", "id is missing"}, Wrong{"/id", "7", "id must be a string"}, Wrong{"/id", "\"nodots\"", "id must be a reverse domain name"},
    Wrong{"/id", "\"org/../x.y\"", "id must be"}, Wrong{"/id", "\"Org.Picket\"", "id must be"}, Wrong{"/id", "\"org..x\"", "id must be"},
    Wrong{"/id", "\"picket.update\"", "id must not begin as"}, Wrong{"/id", "\"picketctl.x\"", "id must not begin as"},
    Wrong{"/topics/subscribes", "[\"*\"]", "topics.subscribes[0] must be a dotted topic"},
    Wrong{"/version", "\"1.0\"", "version must be"}, Wrong{"/version", "\"01.0.0\"", "version must be"}, Wrong{"/version", "\"1.0.0-\"", "version must be"},
    Wrong{"/version", "\"../../etc\"", "version must be"}, Wrong{"/file", "\"../evil.so\"", "file must be a plain file name"},
    Wrong{"/file", "\".hidden.so\"", "file must be"}, Wrong{"/file", "\"x.dll\"", "file must be"}, Wrong{"/file", "", "file is missing"},
    Wrong{"/sha256", "\"ABCDEF\"", "sha256 must be 64"}, Wrong{"/abi", "", "abi is missing"}, Wrong{"/abi", "1", "abi must be an object"},
    Wrong{"/abi/major", "", "abi.major is missing"}, Wrong{"/abi/major", "-1", "abi.major must be"}, Wrong{"/abi/minor_needed", "70000", "abi.minor_needed must be"},
    Wrong{"/abi/patch", "1", "abi.patch is not a known member"}, Wrong{"/isolation/minimum", "\"none\"", "isolation.minimum must be \"in-process\" or \"isolated\""},
    Wrong{"/requires_extensions", "[\"picket.bus\"]", "requires_extensions[0] must be"}, Wrong{"/requires_extensions", "[\"a/1\",\"a/1\"]", "requires_extensions[1] is there twice"},
    Wrong{"/topics/publishes", "[{\"topic\":\"a\"}]", "topics.publishes[0].kind is missing"}, Wrong{"/topics/publishes", "[{\"topic\":\"a\",\"kind\":\"request\"}]", "topics.publishes[0].kind must be"},
    Wrong{"/topics/publishes", "[{\"topic\":\"a.*\",\"kind\":\"state\"}]", "topics.publishes[0].topic must be a dotted topic"},
    Wrong{"/topics/subscribes", "[\"a.*.b\"]", "topics.subscribes[0] must be"}, Wrong{"/topics/answers", "[\"*\"]", "topics.answers[0] must be"},
    Wrong{"/topics/publish", "[]", "topics.publish is not a known member"}, Wrong{"/capabilities", "[\"fs.read:\"]", "capabilities[0] must be"},
    Wrong{"/capabilities", "[\"net.conect:x\"]", "capabilities[0] must be"}, Wrong{"/capabilities", "[\"exec:/bin/sh\"]", "capabilities[0] must be"},
    Wrong{"/limits/memory_mb", "0", "limits.memory_mb must be"}, Wrong{"/limits/callback_ms", "1.5", "limits.callback_ms must be"},
    Wrong{"/limits/queue_bytes", "100", "limits.queue_bytes must be"}, Wrong{"/limits/cpu", "1", "limits.cpu is not a known member"},
    Wrong{"/demands", "[{\"component\":\"x\"}]", "demands[0].class is missing"}, Wrong{"/demands", "[{\"component\":\"../x\",\"class\":\"agent\"}]", "demands[0].component must be"},
    Wrong{"/demands", "[{\"component\":\"x\",\"class\":\"agent\",\"optional\":1}]", "demands[0].optional must be true or false"},
    Wrong{"/settings_schema", "[]", "settings_schema must be an object"}, Wrong{"/settings_schema/type", "\"array\"", "settings_schema.type must be"},
    Wrong{"/minimum_agent", "\"soon\"", "minimum_agent must be"}, Wrong{"/root", "true", "root is not a known member"}),
    [](const auto& which) { return "case_" + std::to_string(which.index); });

TEST_P(WrongManifest, is_refused_with_the_members_path_by_parser_and_schema_alike) {
  const auto& wrong = GetParam();
  const auto text = with(wrong.path, wrong.value);
  const auto m = Manifest::parse(text);
  ASSERT_FALSE(m) << text;
  EXPECT_EQ(m.error().code, Code::invalid);
  EXPECT_TRUE(m.error().message.starts_with(wrong.says)) << m.error().message;
  EXPECT_FALSE(schema_takes(text)) << text;
}

TEST(Manifest, that_claims_what_is_the_hosts_is_refused_with_the_topic_and_its_owner) {
  const auto why_not = [](std::string_view path, std::string_view value) {
    const auto m = Manifest::parse(with(path, value));
    EXPECT_TRUE(m || m.error().code == Code::denied);
    return m ? std::string() : m.error().message;
  };
  EXPECT_EQ(why_not("/topics/answers", R"(["picket.plugin.list"])"), "topics.answers: picket.plugin.list: only picketd itself may answer it");
  EXPECT_EQ(why_not("/topics/asks", R"(["picket.component.activate"])"), "topics.asks: picket.component.activate: only picketd itself may ask it");
  EXPECT_EQ(why_not("/topics/publishes", R"([{"topic":"picket.component.active","kind":"state"}])"),
            "topics.publishes: picket.component.active: only picketd itself may publish it");
  EXPECT_EQ(why_not("/topics/asks", R"(["*","picket.*"])"), "") << "a wildcard is judged when something is asked";
}

TEST(Manifest, of_a_third_party_holds_what_is_kept_for_pickets_own_plugins_only_if_it_stands_in) {
  const auto m = Manifest::parse(with("/id", R"("com.vendor.ksn")"));
  ASSERT_TRUE(m) << m.error().message;
  const auto stranger = m->check_topics(Standing::stranger);
  ASSERT_FALSE(stranger);
  EXPECT_TRUE(stranger.error().message.starts_with("topics.publishes: picket.ksn.state: of plugins only Picket's own")) << stranger.error().message;
  EXPECT_TRUE(m->check_topics(Standing::own));
}

TEST(Manifest, is_refused_when_too_large_twice_said_or_no_object) {
  EXPECT_EQ(Manifest::parse(std::string(kMaxManifestBytes + 1, ' ')).error().code, Code::too_large);
  EXPECT_EQ(Manifest::parse("[]").error().code, Code::invalid);
  EXPECT_EQ(Manifest::parse("").error().code, Code::invalid);
  EXPECT_EQ(Manifest::parse(R"({"manifest":1,"manifest":1})").error().code, Code::invalid);
}

TEST(Version, is_ordered_as_semver_says) {
  const char* const order[] = {"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0"};
  for (std::size_t i = 0; i < std::size(order); ++i) {
    EXPECT_TRUE(is_version(order[i])) << order[i];
    for (std::size_t j = 0; j < std::size(order); ++j)
      EXPECT_EQ(compare_versions(order[i], order[j]), i <=> j) << order[i] << " " << order[j];
  }
  for (const char* const wrong : {"", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.3-01", "1.2.3-a..b", "1.2.3 ", "v1.2.3", "1.2.9999999999"}) EXPECT_FALSE(is_version(wrong)) << wrong;
}

}  // namespace

}  // namespace picket::package
