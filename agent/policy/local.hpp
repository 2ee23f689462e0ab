// Local values, one file a consumer: what an administrator of this computer set.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/result.hpp"

namespace picket::policy {

namespace json = boost::json;

// One plugin's file of local values.
struct LocalFile {
  std::string name;      // for people
  json::object settings;
  std::string problem;   // not empty: it could not be read, and `settings` says nothing
};
[[nodiscard]] Result<json::object> parse_local(std::string_view text);
[[nodiscard]] LocalFile read_local(const std::filesystem::path& folder, std::string_view id);  // absent: empty

// Each is read once and kept, so that a file edited meanwhile takes effect for everyone at once, by others read anew.
class LocalFiles {
 public:
  explicit LocalFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] const LocalFile& of(const std::string& id);

 private:
  std::filesystem::path folder_;
  std::map<std::string, LocalFile, std::less<>> files_;
};

}  // namespace picket::policy
