#include "repo/document.hpp"

#include <algorithm>
#include <set>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/bytes.hpp"
#include "trust/json.hpp"

namespace picket::repo {

namespace {

Result<> check_shape(std::string_view role, std::string_view bytes, std::vector<trust::Signature>& signatures) {
  const auto check = [&](auto parsed) -> Result<> {
    if (!parsed) return fail(std::move(parsed).error());
    signatures = std::move(parsed->signatures);
    return {};
  };
  if (role == "root") return check(trust::Metadata<trust::Root>::parse(bytes));
  if (role == "timestamp") return check(trust::Metadata<trust::Timestamp>::parse(bytes));
  if (role == "snapshot") return check(trust::Metadata<trust::Snapshot>::parse(bytes));
  return check(trust::Metadata<trust::Targets>::parse(bytes));
}

}  // namespace

bool is_top_level(std::string_view role) { return role == "root" || role == "timestamp" || role == "snapshot" || role == "targets"; }

Result<Document> Document::parse(std::string_view role, std::string_view bytes) {
  Document out;
  out.role = role;
  PICKET_TRY(check_shape(role, bytes, out.signatures));
  PICKET_LET(root, trust::parse_strict(bytes));
  out.body = std::move(root.as_object().at("signed").as_object());
  return out;
}

Document Document::make(std::string_view role, UnixTime expires) {
  Document out;
  out.role = role;
  out.body = {{"_type", is_top_level(role) ? role : "targets"}, {"spec_version", "1.0.34"}, {"version", 1}};
  out.set_expires(expires);
  return out;
}

UnixTime Document::expires() const { return trust::parse_time(body.at("expires").as_string()).value_or(0); }
void Document::set_expires(UnixTime time) { body["expires"] = trust::format_time(time); }

std::string Document::signed_bytes() const { return trust::canonical(body); }

std::string Document::to_bytes() const {
  json::array list;
  for (const auto& signature : signatures) list.push_back(json::object{{"keyid", signature.keyid}, {"sig", to_hex(signature.sig)}});
  return json::serialize(json::object{{"signatures", std::move(list)}, {"signed", body}}) + "\n";
}

std::string Document::file_name() const {
  const auto name = cat(trust::encode_role(role), ".json");
  return role == "timestamp" ? name : cat(std::to_string(version()), ".", name);
}

std::vector<std::string> Document::signers(const Authority& authority) const {
  std::vector<std::string> out;
  std::set<std::string, std::less<>> counted;
  const auto bytes = signed_bytes();
  for (const auto& keyid : authority.role.keyids) {
    const auto key = authority.keys.find(keyid);
    if (key == authority.keys.end() || counted.contains(key->second.identity())) continue;
    const auto signature = std::find_if(signatures.begin(), signatures.end(), [&](const auto& s) { return s.keyid == keyid; });
    if (signature == signatures.end() || !key->second.verify(bytes, signature->sig)) continue;
    counted.insert(key->second.identity());
    out.push_back(keyid);
  }
  return out;
}

bool Document::is_signed_enough(const Authority& authority) const {
  return trust::verify_threshold(role, authority.role, authority.keys, signed_bytes(), signatures).has_value();
}

Result<> Document::sign(const trust::PrivateKey& key) {
  PICKET_LET(sig, key.sign(signed_bytes()));
  const auto keyid = key.public_key().key_id();
  std::erase_if(signatures, [&](const auto& old) { return old.keyid == keyid; });
  signatures.push_back({keyid, std::move(sig)});
  return {};
}

}  // namespace picket::repo
