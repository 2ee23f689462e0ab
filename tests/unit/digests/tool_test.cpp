// The program picket-digests.
#include <gmock/gmock.h>

#include <sys/wait.h>

#include "unit/digests/digests_fixture.hpp"

namespace picket::digests {
namespace {

using ::testing::HasSubstr;

class Tool : public DigestsTest {
 protected:
  struct Ran {
    int code = -1;
    std::string text;  // both outputs
  };
  Ran run(const std::string& words) {
    Ran out;
    std::FILE* const pipe = ::popen(cat("cd ", folder_.native(), " && ", PICKET_DIGESTS, " ", words, " 2>&1 </dev/null").c_str(), "r");
    if (pipe == nullptr) return out;
    char buffer[4096];
    while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) out.text += buffer;
    const int status = ::pclose(pipe);
    out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
  }
};

TEST_F(Tool, makes_shows_and_checks_both_variants) {
  std::string evil, good;
  for (std::uint64_t i = 0; i < 500; ++i) evil += cat(hex_of(digest_of(i)), ";Evil ", std::to_string(i % 3), "\n");
  for (std::uint64_t i = 400; i < 700; ++i) good += cat(hex_of(digest_of(i)), "\n");
  write("evil.txt", evil);
  write("good.txt", good);
  const auto full = run("make --variant full evil.txt --trusted good.txt out/full");
  EXPECT_EQ(full.code, 0) << full.text;
  EXPECT_THAT(full.text, HasSubstr("100 digests have several verdicts: the stricter one counts"));
  EXPECT_THAT(full.text, HasSubstr("out/full/digests.full: 700 digests (500 untrusted, 0 abusable, 200 trusted)"));
  const auto light = run("make --variant light --trusted good.txt evil.txt out/light");
  EXPECT_EQ(light.code, 0) << light.text;
  EXPECT_THAT(light.text, HasSubstr("200 trusted digests are left out"));
  write("one.txt", hex_of(digest_of(650)) + "\n");
  EXPECT_THAT(run("make --variant light --trusted one.txt evil.txt out/one").text, HasSubstr("1 trusted digest is left out"));
  EXPECT_THAT(run("show out/full").text, HasSubstr("variant   full\ndigests   700\n"));
  EXPECT_THAT(run("show out/light/digests.light").text, HasSubstr("variant   light\ndigests   500\n"));
  EXPECT_EQ(run("check out/full --against evil.txt --against good.txt").code, 0);
  EXPECT_EQ(run("check out/light --against evil.txt").code, 0);
  const auto other = run("check out/light --against good.txt");
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.text, HasSubstr("of the 300 digests of good.txt are not in it"));
  EXPECT_EQ(run("make --variant light evil.txt again").code, 0);
  EXPECT_EQ(run("make --variant light evil.txt --trusted good.txt once-more").code, 0);
  EXPECT_EQ(read("once-more/digests.light"), read("out/light/digests.light"));
  EXPECT_EQ(read("again/digests.light"), read("out/light/digests.light")) << "what is left out leaves no trace";
}

TEST_F(Tool, refuses_in_one_line_and_leaves_nothing) {
  write("list.txt", hex_of(digest_of(1)));
  const auto refused = [&](const std::string& words, int code, const std::string& why) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, code) << words;
    EXPECT_THAT(ran.text.substr(0, ran.text.find('\n')), HasSubstr(why)) << words;
    EXPECT_EQ(ran.text.find('\n'), ran.text.size() - 1) << ran.text;
  };
  refused("", 2, "a command is missing");
  refused("eat", 2, "unknown command 'eat'");
  refused("--bogus", 2, "unknown option --bogus");
  refused("make list.txt out", 2, "--variant must be full or light");
  refused("make --variant small list.txt out", 2, "--variant must be full or light");
  refused("make --variant full out", 2, "no LIST is given");
  refused("make --variant full --trusted", 2, "--trusted needs a value");
  refused("make --variant full --good list.txt out", 2, "unknown option --good");
  refused("show", 2, "show needs one DATABASE");
  refused("make --variant full gone.txt out", 1, "gone.txt: No such file or directory");
  refused("show list.txt", 1, "is no digest database");
  refused("show .", 1, "neither digests.full nor digests.light");
  EXPECT_FALSE(std::filesystem::exists(file("out")));
  EXPECT_EQ(run("make --variant full list.txt out").code, 0);
  const auto both = run("make --variant light list.txt out");
  EXPECT_EQ(both.code, 1);
  EXPECT_THAT(both.text, HasSubstr("give each a folder of its own"));
  EXPECT_EQ(run("--help").code, 0);
}

}  // namespace
}  // namespace picket::digests
