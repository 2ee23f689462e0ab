// Key files: NAME.key.pem (private, 0600) and NAME.pub.json (a TUF key object), in one or more folders, the halves together or apart.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::repo {

// Asks for the passphrase of the named key: from the environment, from a terminal, or nowhere.
using AskPassphrase = std::function<Result<std::string>(std::string_view key_name)>;

struct KeyInfo {
  std::string name;
  std::string keyid;
  trust::PublicKey key;
  std::optional<std::filesystem::path> private_file;  // absent: only the public half is here
};

class KeyStore {
 public:
  // Folders that are absent are errors, but for the first, the publisher's own, which may be absent.
  [[nodiscard]] static Result<KeyStore> open(std::vector<std::filesystem::path> folders, AskPassphrase ask);

  [[nodiscard]] const std::vector<KeyInfo>& keys() const { return keys_; }
  // By name, or by at least 8 digits of the key id.
  [[nodiscard]] Result<KeyInfo> find(std::string_view name_or_id) const;
  // One key may have two names: the one with the private half, when that is here.
  [[nodiscard]] const KeyInfo* by_id(std::string_view keyid) const;
  // "alice" when known, else the first 12 digits of the id.
  [[nodiscard]] std::string name_of(std::string_view keyid) const;
  [[nodiscard]] Result<trust::PrivateKey> load_private(const KeyInfo& info) const;

 private:
  std::vector<KeyInfo> keys_;
  AskPassphrase ask_;
};

[[nodiscard]] Result<> check_key_name(std::string_view name);
[[nodiscard]] Result<trust::PublicKey> read_public_key(const std::filesystem::path& file);
[[nodiscard]] Result<trust::PrivateKey> read_private_key(const std::filesystem::path& file, std::string_view name, const AskPassphrase& ask);
// Neither overwrites. The private half first: a public half alone would look like somebody else's key.
[[nodiscard]] Result<> write_key_pair(const std::filesystem::path& folder, std::string_view name, const trust::PrivateKey& key, std::string_view passphrase);
[[nodiscard]] Result<> write_public_key(const std::filesystem::path& folder, std::string_view name, const trust::PublicKey& key);

}  // namespace picket::repo
