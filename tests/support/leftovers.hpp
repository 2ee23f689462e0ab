// What a write that was cut off leaves behind, to make and to find.
#pragma once

#include <filesystem>
#include <fstream>
#include <ios>
#include <string>

namespace picket::support {

// As a process leaves it that is killed inside of write_file_atomic(file). Makes the folders on the way too.
inline std::filesystem::path leave_cut_off_write(const std::filesystem::path& file) {
  auto left = file.parent_path() / ("." + file.filename().native() + ".0123456789ab.tmp");
  std::filesystem::create_directories(left.parent_path());
  std::ofstream out;
  out.exceptions(std::ios::badbit | std::ios::failbit);
  out.open(left);
  out << "half";
  return left;
}

// The paths of all that is left below a folder, a line each; empty: nothing.
inline std::string leftovers_below(const std::filesystem::path& folder) {
  std::string out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".tmp") out += entry.path().native() + "\n";
  return out;
}

}  // namespace picket::support
