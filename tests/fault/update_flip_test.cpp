// A flipped bit in any stored byte: each file of the agent's folder, at its ends and at places in between. What is in force is right after
// the next update, whatever was hit.
#include "fault/update_life.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

namespace picket {
namespace {

class UpdateFlip : public UpdateLives {
 protected:
  // In place, as a disk does it: the other names of the file show it too.
  static void flip(const fs::path& file, std::uint64_t at, unsigned bit) {
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    ::chmod(file.c_str(), 0600);
    const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    char byte = 0;
    ASSERT_EQ(::pread(fd.get(), &byte, 1, static_cast<off_t>(at)), 1) << file;
    byte = static_cast<char>(byte ^ (1 << bit));
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(at)), 1);
    ::chmod(file.c_str(), info.st_mode & 07777);
  }
  static std::set<std::uint64_t> places(std::uint64_t size) {
    std::set<std::uint64_t> out = {0, size / 3, size / 2, size - 1};
    std::uint64_t state = size;
    for (int i = 0; i < 4; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      out.insert((state >> 16) % size);
    }
    return out;
  }
};

TEST_F(UpdateFlip, in_any_stored_byte_is_found_and_nothing_is_lost) {
  publish_two_releases();
  const auto base = make_agent(root_ / "base", {"one", "two"}), work = root_ / "work";
  const auto old_files = files_of(offer(1)), new_files = files_of(offer(2));
  std::map<fs::path, std::uint64_t> files;
  for (const auto& entry : fs::recursive_directory_iterator(base / "data"))
    if (entry.is_regular_file() && !entry.is_symlink() && entry.file_size() > 0) files[fs::relative(entry.path(), base)] = entry.file_size();
  ASSERT_GT(files.size(), 15u);
  unsigned count = 0;
  for (const auto& [file, size] : files)
    for (const auto at : places(size)) {
      SCOPED_TRACE(cat(file.native(), " at ", std::to_string(at)));
      copy_of(base, work);
      flip(work / file, at, ++count % 8);
      if (HasFatalFailure()) return;
      const auto next = live(work, root_ / "two", 0);
      ASSERT_EQ(next.signal, 0) << next.output;
      ASSERT_TRUE(next.result == "ok: " || next.result == "current: ") << next.output;
      ASSERT_EQ(in_force(work), new_files) << next.output;
      // The earlier set is whole and comes back, or it is refused in words.
      const auto back = live(work, root_ / "two", 0, "rollback");
      ASSERT_EQ(back.signal, 0) << back.output;
      const auto after = in_force(work);
      ASSERT_TRUE(back.result == "ok: " ? after == old_files : (back.result.starts_with("failed: ") || back.result.starts_with("no answer: ")) && after == new_files) << back.output;
    }
  EXPECT_GT(count, 100u);
}

}  // namespace
}  // namespace picket
