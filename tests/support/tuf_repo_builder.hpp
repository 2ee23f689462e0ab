// Builds any TUF repository in memory, valid or not, and serves it: documents are plain JSON that a test changes as it likes before it
// publishes them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "trust/client.hpp"
#include "trust/keys.hpp"

namespace picket::support {

namespace json = boost::json;

class TufRepo : public trust::Fetcher {
 public:
  static constexpr trust::UnixTime start = 1'780'000'000;  // 2026-05-28: the repository's now; everything expires 30 days later
  static constexpr trust::UnixTime day = 86'400;

  // Version 1 of the four top-level roles, one Ed25519 key each, published.
  explicit TufRepo(bool consistent_snapshot = true);

  // --- Documents: the `signed` part of the next version. publish() raises `version` first, except for a role's first publication.
  json::object& root() { return documents_["root"]; }
  json::object& document(std::string_view role) { return documents_[std::string(role)]; }
  std::map<std::string, std::vector<trust::PrivateKey>> signers;  // who signs a role's next version
  bool meta_hashes = false;                                       // list length and sha256 in snapshot and timestamp

  static trust::PrivateKey new_key(std::string_view type = "ed25519");
  static json::object new_targets();
  // A key of a top-level role: into root.keys, the role's keyids and its signers. Takes effect when root is published.
  void add_key(std::string_view role, const trust::PrivateKey& key);
  // Replaces all keys of a top-level role. The old ones of `root` still sign the next root.
  void rotate(std::string_view role);
  json::object& role_keys(std::string_view role) { return root()["roles"].as_object()[role].as_object(); }

  struct Delegation {
    std::vector<std::string> paths = {"*"};
    bool terminating = false;
    std::vector<std::string> hash_prefixes = {};  // instead of paths when not empty
  };
  // Adds role's key to the delegator, appends the delegation; creates an empty document for the role when there is none.
  void delegate(std::string_view delegator, std::string_view role, Delegation delegation);
  void delegate(std::string_view delegator, std::string_view role) { delegate(delegator, role, Delegation{}); }
  void add_target(std::string_view role, std::string_view path, std::string_view content);

  // Signs and serves the named roles in this order, and enters them in snapshot and timestamp. Old versions stay served.
  void publish(const std::vector<std::string>& roles);
  void publish_all();  // every targets role, snapshot, timestamp
  // As publish for one role, but under the version that its document has now.
  void publish_as_is(const std::string& role);
  static std::string sign(const json::object& document, const std::vector<trust::PrivateKey>& keys);

  // --- What is served
  std::map<std::string, std::string, std::less<>> files;  // "2.root.json", "timestamp.json", "1.snapshot.json" and "snapshot.json", ...
  std::map<std::string, std::string> targets;             // by URL path, with and without the hash
  std::vector<std::string> requests;
  std::function<Result<std::string>(std::string_view path, Result<std::string> answer)> tamper;  // between the server and the client

  [[nodiscard]] std::string first_root() const { return files.at("1.root.json"); }
  [[nodiscard]] Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override;
  // metadata/ and targets/ under `folder`, for a real server.
  void write_to(const std::filesystem::path& folder) const;

 private:
  std::map<std::string, json::object> documents_;
  std::map<std::string, bool> published_;
};

}  // namespace picket::support
