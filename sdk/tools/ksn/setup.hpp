// The folder of a private KSN: keys, certificates, provider file, store, settings and picketd's configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace picket::ksn_tool {

struct Folder {
  std::string path;

  [[nodiscard]] std::string file(std::string_view name) const { return cat(path, "/", name); }
  [[nodiscard]] std::string settings() const { return file("settings/org.picket.ksn-service.json"); }
  [[nodiscard]] std::string configuration() const { return file("picketd.conf"); }
};

struct Setup {
  std::string name = "Private KSN", contact;
  std::vector<std::string> servers;      // https://host:port, as clients reach them; empty: this computer's name and the default port
  std::string listen = "0.0.0.0";
  std::uint16_t port = 0;                // 0: that of the first server
  std::string store;                     // empty: an LMDB store in the folder; redis:...
  std::string certificate, key, authority;  // PEM files that exist; empty: made here
  bool licences_required = true;
};

// Makes all of it, or says what is wrong; Code::conflict when there is one already. Nothing that exists is written over.
[[nodiscard]] Result<> set_up(const Folder& folder, const Setup& setup, std::int64_t now);

}  // namespace picket::ksn_tool
