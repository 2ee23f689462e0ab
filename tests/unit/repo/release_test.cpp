#include "trust/release.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/json.hpp"

namespace picket::trust {
namespace {

using testing::HasSubstr;

Release sample(const std::string& format = "tar.zst") {
  Release out;
  out.component = "yara-rules";
  out.cls = "databases";
  out.variant = "light";
  out.release = 12;
  out.version = "2026.05.31";
  out.published = 1'790'000'000;
  out.format = format;
  out.content_length = 2000;
  out.content_sha256 = std::string(64, 'a');
  out.files = 1;
  out.unpacked = 2000;
  out.minimum_agent = "0.1.0";
  out.length = format == "file" ? 2000 : 500;
  if (format == "file") out.name = "rules.bin";
  out.hashes = {{"sha256", std::string(64, 'b')}};
  out.path = release_path(out);
  return out;
}
Target target_of(const Release& release) { return {release.path, release.component, {release.length, release.hashes, release_custom(release)}}; }
Target changed(const std::function<void(Target&, json::object& picket)>& change) {
  auto out = target_of(sample());
  change(out, out.file.custom.at("picket").as_object());
  return out;
}
std::string why_not(const std::function<void(Target&, json::object& picket)>& change, Code code = Code::invalid) {
  auto parsed = parse_release(changed(change));
  if (parsed) return "parsed";
  EXPECT_EQ(parsed.error().code, code) << parsed.error().message;
  return parsed.error().message;
}

TEST(Release, comes_back_from_the_custom_part_of_its_target) {
  for (const std::string format : {"tar.zst", "file"}) {
    const auto release = sample(format);
    auto parsed = parse_release(target_of(release));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->path, format == "file" ? "yara-rules/light/12.bin" : "yara-rules/light/12.tar.zst");
    EXPECT_EQ(canonical(release_custom(*parsed)), canonical(release_custom(release)));
    EXPECT_EQ(parsed->length, release.length);
    EXPECT_EQ(parsed->hashes, release.hashes);
    EXPECT_EQ(parsed->published, release.published);
  }
}

TEST(Release, must_be_signed_by_its_own_component_and_lie_at_its_own_path) {
  EXPECT_THAT(why_not([](Target& target, auto&) { target.role = "other"; }), HasSubstr("signed by role other"));
  EXPECT_THAT(why_not([](Target& target, auto&) { target.path = "yara-rules/light/13.tar.zst"; }), HasSubstr("should be at yara-rules/light/12.tar.zst"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["component"] = "other"; }), HasSubstr("signed by role yara-rules"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["variant"] = "full"; }), HasSubstr("should be at"));
}

TEST(Release, names_each_member_that_is_missing_or_of_the_wrong_kind) {
  for (const char* name : {"component", "class", "variant", "release", "version", "published", "kind", "format", "content", "files", "unpacked", "minimum_agent"}) {
    EXPECT_THAT(why_not([&](Target&, auto& picket) { picket.erase(name); }), HasSubstr(std::string(name) + " is missing"));
    EXPECT_THAT(why_not([&](Target&, auto& picket) { picket[name] = true; }), HasSubstr(std::string(name) + " must be"));
  }
  for (const char* name : {"length", "sha256"})
    EXPECT_THAT(why_not([&](Target&, auto& picket) { picket["content"].as_object().erase(name); }), HasSubstr(std::string("content.") + name + " is missing"));
}

TEST(Release, refuses_values_out_of_range) {
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["release"] = 0; }), HasSubstr("at least 1"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["files"] = -1; }), HasSubstr("at least 0"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["class"] = "else"; }), HasSubstr("class"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["published"] = "yesterday"; }), HasSubstr("published"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["published"] = "2026-05-31T12:00:00+02:00"; }), HasSubstr("published"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["version"] = "a\nb"; }), HasSubstr("version"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["content"].as_object()["sha256"] = std::string(64, 'A'); }), HasSubstr("sha256"));
  for (const char* bad : {"1", "1.2", "1.2.3.4", "a.b.c", "1..2", "1.2.3-rc1", "1.2.1234567"})
    EXPECT_THAT(why_not([&](Target&, auto& picket) { picket["minimum_agent"] = bad; }), HasSubstr("1.2.3")) << bad;
}

TEST(Release, of_an_unknown_kind_or_format_is_skipped_not_broken) {
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["kind"] = "delta"; picket.erase("content"); }, Code::unsupported), HasSubstr("delta"));
  EXPECT_THAT(why_not([](Target&, auto& picket) { picket["format"] = "tar.br"; }, Code::unsupported), HasSubstr("tar.br"));
  EXPECT_THAT(why_not([](Target& target, auto&) { target.file.custom = {}; }, Code::not_found), HasSubstr("not a release"));
  EXPECT_EQ(why_not([](Target&, auto& picket) { picket["future"] = json::array{1, 2}; }), "parsed");
}

TEST(Release, of_one_file_has_a_plain_name) {
  for (const std::string bad : {"", ".", "..", "a/b", "a\\b", "/etc/passwd", "a\nb", "\xff"}) {
    auto target = target_of(sample("file"));
    target.file.custom.at("picket").as_object()["name"] = bad;
    auto parsed = parse_release(target);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_THAT(parsed.error().message, HasSubstr("name"));
  }
  auto target = target_of(sample("file"));
  target.file.length = 1999;
  EXPECT_FALSE(parse_release(target));
}

}  // namespace
}  // namespace picket::trust
