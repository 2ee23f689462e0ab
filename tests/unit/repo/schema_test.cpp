// The schema that publishers and authors read says the same as the code that decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "package/settings_schema.hpp"
#include "trust/release.hpp"

namespace picket::trust {
namespace {

class TargetCustomSchema : public testing::Test {
 protected:
  void SetUp() override {
    const auto text = read_file(PICKET_SCHEMA_FOLDER "/target_custom.schema.json", 1 << 20);
    ASSERT_TRUE(text) << text.error().message;
    auto schema = package::SettingsSchema::compile(*text);
    ASSERT_TRUE(schema) << schema.error().message;
    schema_ = std::move(*schema);
  }
  bool is_valid(const json::object& custom) { return !schema_.check(custom); }
  static Target target(const std::string& format) {
    Release release;
    release.component = "yara-rules";
    release.cls = "databases";
    release.variant = "full";
    release.release = 1;
    release.version = "1";
    release.published = 1'790'000'000;
    release.format = format;
    release.content_sha256 = std::string(64, '0');
    release.content_length = release.unpacked = release.length = 7;
    release.files = 1;
    release.minimum_agent = "0.1.0";
    if (format == "file") release.name = "a.bin";
    return {release_path(release), release.component, {7, {{"sha256", std::string(64, '1')}}, release_custom(release)}};
  }

  package::SettingsSchema schema_;
};

TEST_F(TargetCustomSchema, takes_what_the_publisher_writes) {
  for (const char* format : {"tar.zst", "file"}) {
    EXPECT_TRUE(is_valid(target(format).file.custom));
    EXPECT_TRUE(parse_release(target(format)));
  }
}

TEST_F(TargetCustomSchema, and_the_code_refuse_the_same) {
  const auto refuse = [&](const std::string& name, const json::value& bad) {
    auto wrong = target("file");
    wrong.file.custom.at("picket").as_object()[name] = bad;
    EXPECT_FALSE(is_valid(wrong.file.custom)) << name << " " << bad;
    EXPECT_FALSE(parse_release(wrong)) << name << " " << bad;
  };
  const auto good = target("file");
  for (const auto& member : good.file.custom.at("picket").as_object()) {
    auto without = target("file");
    without.file.custom.at("picket").as_object().erase(member.key());
    EXPECT_FALSE(is_valid(without.file.custom)) << member.key();
    EXPECT_FALSE(parse_release(without)) << member.key();
    refuse(member.key(), nullptr);
  }
  for (const char* bad : {"", "Yara", "-a", "a_b"}) refuse("component", bad);
  refuse("component", json::string(65, 'a'));
  refuse("class", "rules");
  refuse("variant", "huge");
  refuse("release", 0);
  refuse("files", -1);
  refuse("version", "");
  refuse("version", json::string(65, 'v'));
  refuse("published", "2026-05-31");
  refuse("minimum_agent", "1.2");
  refuse("name", "");
  refuse("content", json::object{{"length", -1}, {"sha256", std::string(64, '0')}});
  refuse("content", json::object{{"length", 7}, {"sha256", std::string(63, '0')}});
}

}  // namespace
}  // namespace picket::trust
