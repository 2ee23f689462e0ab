// The files below some paths, one after the other: no symbolic link is followed, nothing but regular files is opened, no pseudo file system is
// entered. Holds one open folder per level, never a list of all files.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/files.hpp"

namespace scanner {

struct Entry {
  enum class Kind { file, skipped, end } kind = Kind::end;
  std::string path;
  std::string why;  // skipped
  picket::UniqueFd file;
  struct stat about {};
};

class Walker {
 public:
  // Whoever does not ask for it or for something below it is not led into `store`: rules find what is written in themselves. Empty: there is none.
  Walker(std::vector<std::string> paths, const std::string& store);
  [[nodiscard]] Entry next();

 private:
  struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  struct Level {
    std::unique_ptr<DIR, CloseFolder> folder;
    std::string path;
  };
  // False: nothing to tell about it (what vanished, or is neither file nor folder).
  [[nodiscard]] bool visit(int base, const char* name, std::string path, bool asked_for, Entry& out);

  std::vector<std::string> paths_;
  std::size_t next_path_ = 0;
  std::vector<Level> levels_;
  std::optional<std::pair<dev_t, ino_t>> store_;  // known by whatever path one comes to it
};

}  // namespace scanner
