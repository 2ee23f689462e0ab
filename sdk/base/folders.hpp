// Whole folders that take each other's place at once.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace picket {

// Copies one regular file, sharing its blocks where the file system can; on disk when it returns OK. Symbolic links are not followed.
[[nodiscard]] Result<> copy_whole_file(const std::filesystem::path& from, const std::filesystem::path& to);
// Begins to write a file to disk and does not wait: a following fsync of several files then waits once. A hint.
void start_writing(int fd);
// Writes all below it to disk.
[[nodiscard]] Result<> sync_tree(const std::filesystem::path& folder);
// `fresh` takes the place of `folder` by one rename; what was there is removed. Both must lie on one file system. A reader finds the old or the
// new content, never a mixture; a power cut too, unless the file system cannot exchange folders: then for an instant there may be none, and the old one is
// .NAME.old beside it.
[[nodiscard]] Result<> replace_folder(const std::filesystem::path& fresh, const std::filesystem::path& folder);

}  // namespace picket
