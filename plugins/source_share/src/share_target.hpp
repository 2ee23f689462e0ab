// What a request names, checked: which share, and as whom. Texts never hold a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file_source/failure.hpp"
#include "picket/source/v1/source.pb.h"

namespace source_share {

struct Target {
  std::string server;
  std::uint16_t port = 0;  // 0: 445
  std::string share;
  std::vector<std::string> folders;  // below the share, decoded
  std::string user, password, domain;

  [[nodiscard]] bool is_guest() const { return user.empty(); }
  // "smb://server/share/folder/part": as libsmbclient wants it, everything unusual encoded; the port is given to it otherwise.
  [[nodiscard]] std::string url(const std::vector<std::string>& parts) const;
  // For people: with the port.
  [[nodiscard]] std::string address(const std::vector<std::string>& parts) const;
};

// "smb://server[:port]/share[/folder...]". Options: user, password, domain.
[[nodiscard]] file_source::Outcome<Target> parse_target(const picket::source::v1::Source& source, bool allow_guest);

}  // namespace source_share
