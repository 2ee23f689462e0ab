// Metadata that lie beside themselves with gzip: NAME.json.gz beside NAME.json, as picket-repo writes them. A server that packs nothing itself (nginx as
// it comes, FTP) sends a third of the bytes so, and nobody has to set anything.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace curl_source {

// Those that have a version in their name, but no root: a client asks for the next root to hear that there is none.
[[nodiscard]] bool may_lie_packed(std::string_view path);

// nullopt: that is no gzip, or damaged. Stops at `most` bytes.
[[nodiscard]] std::optional<std::string> unpack_gzip(std::string_view gzip, std::size_t most);

// Which places have no packed files, so that they need not be asked for each time. Any thread.
class PlainPlaces {
 public:
  [[nodiscard]] bool is_known(const std::string& base) const;
  void add(const std::string& base);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> until_;
};

}  // namespace curl_source
