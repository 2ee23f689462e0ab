// A new answer key for a private KSN, in three steps between which clients and proxies have time:
//   begin   makes answers.next, and a provider file that names both keys. Answers are still signed by the old one: whoever has the old file goes on.
//   change  when clients have that file: the service signs with the new key. Answers of the old key are still believed (proxies repeat them).
//   retire  when the last answer of the old key is too old to be repeated: a provider file without it.
// Each step can be done again after a power cut.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "ksn/setup.hpp"
#include "trust/keys.hpp"

namespace picket::ksn_tool {

// A file *.pub.json.
[[nodiscard]] Result<trust::PublicKey> read_public(const std::string& file);

struct Rotation {
  std::string provider_key;  // PEM file; empty: provider.key.pem in the folder
  bool at_once = false;      // retire: do not wait until answers of the old key have run out
};

// Code::conflict says which step is due instead. Returns the id of the key that the step is about.
[[nodiscard]] Result<std::string> begin_rotation(const Folder& folder, const Rotation& rotation, std::int64_t now);
[[nodiscard]] Result<std::string> change_key(const Folder& folder);
[[nodiscard]] Result<std::string> retire_key(const Folder& folder, const Rotation& rotation, std::int64_t now);

}  // namespace picket::ksn_tool
