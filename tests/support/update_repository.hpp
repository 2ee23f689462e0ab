// A signed repository of components in memory, for tests of the update engine.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/tuf_repo_builder.hpp"
#include "trust/release.hpp"

namespace picket::support {

struct Member {
  std::string path, content;
  char type = 'f';   // f file, d folder, l symbolic link, h hard link, p fifo, c device
  std::string link{};
};
// A tar.zst, as hostile as asked for.
[[nodiscard]] std::string make_archive(const std::vector<Member>& members);

struct Offer {
  std::string component = "rules";
  std::string variant = "full";
  std::int64_t release = 1;
  std::vector<std::pair<std::string, std::string>> files = {{"a.yar", "rule a"}, {"sub/b.yar", "rule b"}};  // an archive of these
  std::string single;                 // not empty: format "file" with this content instead
  std::string cls = "databases";
  std::string minimum_agent = "0.0.0";
  std::int64_t published = 0;         // 0: the repository's now
};

class UpdateRepository {
 public:
  UpdateRepository() = default;
  // Adds (not yet published). Returns the path that a source is asked for, below targets/.
  std::string offer(const Offer& offer);
  std::string offer_raw(trust::Release release, std::string_view bytes);
  // The delta between two releases that were offered. `spoil` changes its bytes before they are signed. Returns the path that a source is asked for.
  std::string offer_delta(std::int64_t from, std::int64_t to, const std::function<void(std::string&)>& spoil = {}, const std::string& component = "rules",
                          const std::string& variant = "full");
  void withdraw(const Offer& offer);
  void publish();

  TufRepo tuf;

 private:
  void need_role(const std::string& component);
  bool fresh_role_ = false;
  std::map<std::string, std::string> contents_;  // component/variant/release -> what the release holds, uncompressed
};

}  // namespace picket::support
