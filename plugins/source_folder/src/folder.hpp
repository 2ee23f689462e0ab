// The file system as the source needs it. Calls may hang for as long as the kernel likes (a dead network mount): own threads only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "failure.hpp"

namespace source_folder {

class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fewer than asked for: only at the end of the file.
  [[nodiscard]] virtual Outcome<std::size_t> read(std::uint64_t offset, char* into, std::size_t count) = 0;
};

class Folder {
 public:
  virtual ~Folder() = default;
  // UNAVAILABLE: there is no such folder now. NOT_FOUND: it is there but holds no repository.
  [[nodiscard]] virtual Outcome<> probe(const std::string& base) = 0;
  // UNAVAILABLE: no such folder. NOT_FOUND: the folder is there, the file is not. DENIED: no permission, or a link that leads out of `base`.
  [[nodiscard]] virtual Outcome<std::unique_ptr<File>> open(const std::string& base, const std::vector<std::string>& parts) = 0;
};

[[nodiscard]] std::unique_ptr<Folder> real_folder();

}  // namespace source_folder
