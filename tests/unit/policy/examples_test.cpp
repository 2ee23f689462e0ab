// The examples in config/ against the program: documents, settings schemas of the plugins and of the update engine.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "policy/compose.hpp"
#include "policy/document.hpp"
#include "tasks/definition.hpp"
#include "tasks/tasks.hpp"
#include "update/update.hpp"

namespace picket::policy {
namespace {

std::string schema_of(const std::string& id) {
  if (id == "org.picket.update") return std::string(update::Engine::settings_schema());
  if (id == "org.picket.tasks") return std::string(tasks::Tasks::settings_schema());
  for (const auto& folder : std::filesystem::directory_iterator(PICKET_SOURCE "/plugins")) {
    const auto text = read_file(folder.path() / "plugin.json", 1u << 20);
    if (!text) continue;
    const auto manifest = json::parse(*text);
    if (manifest.at("id").as_string() == id) return json::serialize(manifest.at("settings_schema"));
  }
  ADD_FAILURE() << "no plugin " << id;
  return "{}";
}

TEST(Examples, the_policy_fits_all_that_it_sets) {
  const auto text = read_file(PICKET_SOURCE "/config/policy/example.json", 1u << 20);
  ASSERT_TRUE(text);
  const auto document = Document::parse(*text);
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_TRUE(check_times(*document, 1'800'000'000));
  EXPECT_EQ(document->plugins.size(), 4U);
  for (const auto& [id, plugin] : document->plugins) {
    const auto schema = CompiledSchema::compile(schema_of(id));
    ASSERT_TRUE(schema) << schema.error().message;
    const auto composed = compose(id, *schema, &plugin, {});
    ASSERT_TRUE(composed) << composed.error().message;
    for (const auto& path : plugin.locks.paths) EXPECT_NE(find(composed->settings, path), nullptr) << "lock on an unknown setting: " << format_name(path);
  }
  for (const auto& id : document->host.in_process) EXPECT_NE(schema_of(id), "{}");
}

TEST(Examples, local_settings_fit) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(PICKET_SOURCE "/config/settings")) {
    if (file.path().extension() != ".json") continue;
    const auto id = file.path().stem().string();
    const auto schema = CompiledSchema::compile(schema_of(id));
    ASSERT_TRUE(schema) << schema.error().message;
    const auto composed = compose(id, *schema, nullptr, read_local(PICKET_SOURCE "/config/settings", id));
    ASSERT_TRUE(composed) << composed.error().message;
    EXPECT_EQ(composed->local_problem, "") << id;
    if (id == "org.picket.tasks") {
      EXPECT_TRUE(tasks::parse_settings(json::serialize(composed->settings), std::chrono::seconds(7200)));
    }
    ++count;
  }
  EXPECT_GE(count, 3U);
}

TEST(Examples, every_plugins_schema_compiles_and_its_defaults_fit) {
  for (const auto& folder : std::filesystem::directory_iterator(PICKET_SOURCE "/plugins")) {
    const auto text = read_file(folder.path() / "plugin.json", 1u << 20);
    if (!text) continue;
    const auto manifest = json::parse(*text);
    const auto schema = CompiledSchema::compile(json::serialize(manifest.at("settings_schema")));
    ASSERT_TRUE(schema) << folder.path() << ": " << schema.error().message;
    EXPECT_TRUE(compose("x", *schema, nullptr, {})) << folder.path();
  }
  const auto update = CompiledSchema::compile(update::Engine::settings_schema());
  ASSERT_TRUE(update) << update.error().message;
  EXPECT_TRUE(compose("org.picket.update", *update, nullptr, {}));
}

}  // namespace
}  // namespace picket::policy
