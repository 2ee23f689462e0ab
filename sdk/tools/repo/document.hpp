// One metadata file as the publisher edits it: the JSON tree of `signed`, and the signatures over it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/result.hpp"
#include "trust/metadata.hpp"

namespace picket::repo {

namespace json = boost::json;
using trust::UnixTime;

// Who may sign a role, and how many of them must.
struct Authority {
  trust::RoleKeys role;
  trust::KeyMap keys;
};

struct Document {
  std::string role;  // root, timestamp, snapshot, targets, or a component
  json::object body;
  std::vector<trust::Signature> signatures;

  // The shape is checked against the role, so that editing need not look twice.
  [[nodiscard]] static Result<Document> parse(std::string_view role, std::string_view bytes);
  // An empty one: version 1, no signatures.
  [[nodiscard]] static Document make(std::string_view role, UnixTime expires);

  [[nodiscard]] std::int64_t version() const { return body.at("version").as_int64(); }
  [[nodiscard]] UnixTime expires() const;
  void set_version(std::int64_t version) { body["version"] = version; }
  void set_expires(UnixTime time);
  [[nodiscard]] std::string signed_bytes() const;
  [[nodiscard]] std::string to_bytes() const;  // the file
  [[nodiscard]] std::string file_name() const; // "7.targets.json"; "timestamp.json"

  // The key ids whose signature is good, one per distinct key.
  [[nodiscard]] std::vector<std::string> signers(const Authority& authority) const;
  [[nodiscard]] bool is_signed_enough(const Authority& authority) const;
  [[nodiscard]] Result<> sign(const trust::PrivateKey& key);
};

[[nodiscard]] bool is_top_level(std::string_view role);

}  // namespace picket::repo
