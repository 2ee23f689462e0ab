#include "base/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

// What was written to a pipe that nobody reads meanwhile.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    read_.reset(ends[0]);
    write_.reset(ends[1]);
  }
  int fd() const { return write_.get(); }
  std::string text() {
    write_.reset();
    return read_all(read_.get(), 1 << 20).value();
  }

 private:
  UniqueFd read_, write_;
};

TEST(Progress, is_a_line_per_tenth_where_there_is_no_terminal) {
  Pipe pipe;
  EXPECT_EQ(Progress::style_for(pipe.fd()), Progress::Style::lines);
  Progress progress("copy", 2000, Progress::Style::lines, pipe.fd(), 0s);
  for (int i = 0; i < 2000; ++i) progress.add(1);
  progress.finish();
  progress.finish();
  const auto text = pipe.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_THAT(text, HasSubstr("copy: 30% of 2.0 kB\n"));
  EXPECT_TRUE(text.ends_with("copy: done, 2.0 kB\n")) << text;
}

TEST(Progress, is_silent_for_short_work_where_there_is_no_terminal) {
  Pipe pipe;
  Progress progress("copy", 100, Progress::Style::lines, pipe.fd(), 1h);
  for (int i = 0; i < 100; ++i) progress.add(1);
  progress.finish();
  EXPECT_THAT(pipe.text(), IsEmpty());
}

TEST(Progress, ends_a_bar_with_its_last_state) {
  Pipe pipe;
  Progress progress("copy", 4'000'000, Progress::Style::bar, pipe.fd());
  progress.update(1'000'000);
  progress.update(4'000'000);
  progress.finish();
  const auto text = pipe.text();
  EXPECT_THAT(text, HasSubstr("[########################################] 100% 4.0 MB of 4.0 MB"));
  EXPECT_TRUE(text.ends_with("\n"));
}

TEST(Progress, clears_a_bar_that_did_not_finish) {
  Pipe pipe;
  {
    Progress progress("copy", 100, Progress::Style::bar, pipe.fd());
    // The first drawing comes a tenth of a second after the beginning; the bound only ends a test that fails.
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (!progress.is_drawn() && std::chrono::steady_clock::now() < give_up) progress.update(50);
  }
  EXPECT_TRUE(pipe.text().ends_with("\r\x1b[K"));
}

TEST(Progress, survives_a_total_that_is_unknown_or_exceeded_and_a_closed_descriptor) {
  Pipe pipe;
  Progress unknown("copy", 0, Progress::Style::lines, pipe.fd(), 0s);
  unknown.update(5);
  unknown.finish();
  EXPECT_THAT(pipe.text(), IsEmpty());
  Progress closed("copy", 10, Progress::Style::bar, -1);
  closed.update(1'000'000);
  closed.finish();
}

TEST(HumanBytes, has_two_digits_where_they_matter) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(1'449'999), "1.4 MB");
  EXPECT_EQ(human_bytes(5'242'880), "5.2 MB");
  EXPECT_EQ(human_bytes(123'456'789), "123 MB");
  EXPECT_EQ(human_bytes(999'999), "1.0 MB");
  EXPECT_EQ(human_bytes(~std::uint64_t{0}), "18 EB");
}

}  // namespace
}  // namespace picket
