#include "app/unknown_names.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/result.hpp"
#include "support/temporary_folder.hpp"

namespace picket::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class UnknownNames : public testing::Test {
 protected:
  void settings(const std::string& file) const { std::ofstream(temporary_.path() / file) << "{}"; }
  Config config() const {
    Config out;
    out.settings_dir = temporary_.path();
    return out;
  }
  const support::TemporaryFolder temporary_;
  const std::vector<std::string> ids_{"org.picket.scanner", "org.picket.update"};
};

TEST_F(UnknownNames, are_none_where_everything_set_is_for_somebody) {
  for (const auto* file : {"org.picket.scanner.json", "org.picket.update.json", "README.md", "org.picket.old.json.dpkg-old", ".org.picket.swap.json"}) settings(file);
  auto given = config();
  given.in_process = given.stand_in = given.disabled = {"org.picket.scanner"};
  EXPECT_THAT(unknown_names(given, ids_, {}), IsEmpty());
  given.settings_dir /= "absent";
  EXPECT_THAT(unknown_names(given, ids_, {}), IsEmpty());
}

TEST_F(UnknownNames, are_one_line_each) {
  settings("org.picket.scnner.json");
  settings("a\nb.json");
  auto given = config();
  given.in_process = {"not an id", "org.picket.scanner"};
  given.stand_in = {"org.example.ksm"};
  given.disabled = {"org.picket.scaner"};
  const auto lines = unknown_names(given, ids_, {"nope"});
  const auto file = [&](std::string_view name) { return cat((temporary_.path() / name).native(), ".json is used by nobody: no plugin '", name, "' is installed"); };
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[0].find('\n'), std::string::npos) << lines[0];
  EXPECT_THAT(std::vector<std::string>(lines.begin() + 1, lines.end()),
              ElementsAre(file("org.picket.scnner"), "in-process: no plugin 'not an id' is installed", "stand-in: no plugin 'org.example.ksm' is installed", "disabled: no plugin 'org.picket.scaner' is installed",
                          "log-level: nothing writes into the log as 'nope'"));
}

}  // namespace
}  // namespace picket::app
