#include "support/tuf_repo_builder.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "trust/json.hpp"

namespace picket::support {

using trust::PrivateKey;

namespace {

json::object common(std::string_view type) {
  return {{"_type", type}, {"spec_version", "1.0.34"}, {"version", 1}, {"expires", trust::format_time(TufRepo::start + 30 * TufRepo::day)}};
}

bool is_targets(std::string_view role) { return role != "root" && role != "timestamp" && role != "snapshot"; }

}  // namespace

PrivateKey TufRepo::new_key(std::string_view type) { return PrivateKey::generate(type).value(); }

json::object TufRepo::new_targets() {
  auto out = common("targets");
  out["targets"] = json::object{};
  return out;
}

TufRepo::TufRepo(bool consistent_snapshot) {
  auto root_document = common("root");
  root_document["consistent_snapshot"] = consistent_snapshot;
  root_document["keys"] = json::object{};
  root_document["roles"] = json::object{};
  for (const char* role : {"root", "timestamp", "snapshot", "targets"})
    root_document["roles"].as_object()[role] = json::object{{"keyids", json::array{}}, {"threshold", 1}};
  documents_["root"] = std::move(root_document);
  documents_["targets"] = new_targets();
  documents_["snapshot"] = common("snapshot");
  documents_["snapshot"]["meta"] = json::object{};
  documents_["timestamp"] = common("timestamp");
  documents_["timestamp"]["meta"] = json::object{};
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) add_key(role, new_key());
  publish({"root", "targets", "snapshot", "timestamp"});
}

void TufRepo::add_key(std::string_view role, const PrivateKey& key) {
  const auto id = key.public_key().key_id();
  root()["keys"].as_object()[id] = key.public_key().to_json();
  role_keys(role)["keyids"].as_array().emplace_back(id);
  signers[std::string(role)].push_back(key);
}

void TufRepo::rotate(std::string_view role) {
  role_keys(role)["keyids"].as_array().clear();
  if (role != "root") signers[std::string(role)].clear();
  add_key(role, new_key());
}

void TufRepo::delegate(std::string_view delegator, std::string_view role, Delegation delegation) {
  if (!documents_.contains(std::string(role))) documents_[std::string(role)] = new_targets();
  auto& own = signers[std::string(role)];
  if (own.empty()) own.push_back(new_key());
  auto& from = document(delegator);
  if (!from.contains("delegations")) from["delegations"] = json::object{{"keys", json::object{}}, {"roles", json::array{}}};
  auto& delegations = from["delegations"].as_object();
  json::array keyids, list;
  for (const auto& key : own) {
    const auto id = key.public_key().key_id();
    delegations["keys"].as_object()[id] = key.public_key().to_json();
    keyids.emplace_back(id);
  }
  for (const auto& entry : delegation.hash_prefixes.empty() ? delegation.paths : delegation.hash_prefixes) list.emplace_back(entry);
  delegations["roles"].as_array().push_back(json::object{{"name", role}, {"keyids", keyids}, {"threshold", 1}, {"terminating", delegation.terminating},
                                                         {delegation.hash_prefixes.empty() ? "paths" : "path_hash_prefixes", list}});
}

void TufRepo::add_target(std::string_view role, std::string_view path, std::string_view content) {
  const auto hash = sha256_hex(content);
  document(role)["targets"].as_object()[path] = json::object{{"length", content.size()}, {"hashes", json::object{{"sha256", hash}}}};
  targets[std::string(path)] = content;
  targets[trust::consistent_target_path(path, hash)] = content;
}

std::string TufRepo::sign(const json::object& document, const std::vector<PrivateKey>& keys) {
  // Through a parser, so that numbers are what the client's parser makes of them.
  const auto canonical = trust::canonical(trust::parse_strict(json::serialize(document)).value());
  json::array signatures;
  for (const auto& key : keys) {
    const auto id = key.public_key().key_id();
    signatures.push_back(json::object{{"keyid", id}, {"sig", to_hex(key.sign(canonical).value())}});
  }
  return json::serialize(json::object{{"signed", document}, {"signatures", signatures}});
}

void TufRepo::publish(const std::vector<std::string>& roles) {
  for (const auto& role : roles) {
    if (published_[role]) document(role)["version"] = document(role)["version"].as_int64() + 1;
    publish_as_is(role);
  }
}

void TufRepo::publish_as_is(const std::string& role) {
  published_[role] = true;
  const auto& signed_part = document(role);
  const auto bytes = sign(signed_part, signers[role]);
  const auto name = trust::encode_role(role) + ".json";
  const auto* number = signed_part.if_contains("version");
  const auto version = number != nullptr && number->is_int64() ? number->get_int64() : 0;
  if (role != "timestamp") files[cat(std::to_string(version), ".", name)] = bytes;
  if (role != "root") files[name] = bytes;
  json::object meta{{"version", version}};
  if (meta_hashes) {
    meta["length"] = bytes.size();
    meta["hashes"] = json::object{{"sha256", sha256_hex(bytes)}};
  }
  if (is_targets(role)) document("snapshot")["meta"].as_object()[role + ".json"] = meta;
  if (role == "snapshot") document("timestamp")["meta"].as_object()["snapshot.json"] = meta;
}

void TufRepo::publish_all() {
  std::vector<std::string> roles;
  for (const auto& [role, document] : documents_)
    if (is_targets(role)) roles.push_back(role);
  roles.insert(roles.end(), {"snapshot", "timestamp"});
  publish(roles);
}

Result<std::string> TufRepo::fetch_metadata(std::string_view path, std::uint64_t max_bytes) {
  requests.emplace_back(path);
  const auto file = files.find(path);
  Result<std::string> answer = file != files.end() ? Result<std::string>(file->second) : fail(Code::not_found, "not there");
  if (tamper) answer = tamper(path, std::move(answer));
  if (answer && answer->size() > max_bytes) return fail(Code::too_large, cat("longer than ", std::to_string(max_bytes), " bytes"));
  return answer;
}

void TufRepo::write_to(const std::filesystem::path& folder) const {
  const auto put = [](const std::filesystem::path& file, const std::string& bytes) {
    std::filesystem::create_directories(file.parent_path());
    if (!write_file_atomic(file, bytes)) std::abort();
  };
  // As they travel in a URL: percent-encoded names are decoded by the server.
  for (const auto& [name, bytes] : files) put(folder / "metadata" / trust::decode_role(name), bytes);
  for (const auto& [name, bytes] : targets) put(folder / "targets" / name, bytes);
}

}  // namespace picket::support
