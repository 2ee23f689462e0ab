// What rules may ask about a file beside its content: the external variables.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace scanner {

struct Facts {
  std::string filename;   // "a.EXE"
  std::string filepath;   // the folder: "/home/x"
  std::string extension;  // ".EXE"
  std::string filetype;   // "EXE", "ELF", "PDF"..., empty when not known
  std::string owner;      // the user's name, or number when it has none
  std::string md5;        // lower case
};

// One per thread: remembers the names of users.
class FactFinder {
 public:
  [[nodiscard]] Facts facts_of(const std::string& path, uid_t owner, std::string_view content);

 private:
  [[nodiscard]] const std::string& name_of(uid_t owner);
  std::map<uid_t, std::string> names_;
};

[[nodiscard]] std::string_view filetype_of(std::string_view content);
// False: this computer cannot.
[[nodiscard]] bool sha256_of(std::string_view content, std::array<std::uint8_t, 32>& into);

}  // namespace scanner
