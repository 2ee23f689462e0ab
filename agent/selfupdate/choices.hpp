// Which packages of which sets are loaded: on disk before the first of them takes over.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "plugin_host/plugin_host.hpp"

namespace picket::selfupdate {

class Choices {
 public:
  // A damaged file is no choice: what the administrator installed is loaded, and `problem` says so.
  [[nodiscard]] static Choices open(std::filesystem::path file, std::string& problem);

  // Replaces those of one component; none: forgets it. On disk when it returns OK.
  [[nodiscard]] Result<> put(const std::string& component, std::vector<plugin_host::Place> places);
  [[nodiscard]] std::vector<plugin_host::Place> of(const std::string& component) const;
  [[nodiscard]] std::vector<plugin_host::Place> all() const;

 private:
  explicit Choices(std::filesystem::path file) : file_(std::move(file)) {}
  std::filesystem::path file_;
  std::map<std::string, std::vector<plugin_host::Place>> by_component_;
};

}  // namespace picket::selfupdate
