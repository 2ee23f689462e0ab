#include "trust/dsse.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "trust/json.hpp"

namespace picket::trust {

namespace {

constexpr std::size_t max_signatures = 64, max_key_files = 256, max_key_bytes = 65536;
// A signature whose key id names none of our keys is tried with each of them (DSSE: the id is only a hint). This bounds what a
// hostile envelope can cost.
constexpr unsigned max_tries = 512;

Result<std::string> string_member(const json::object& object, std::string_view where, std::string_view name) {
  const auto* member = object.if_contains(name);
  if (!member) return fail(Code::invalid, cat(where, "\"", name, "\" is missing"));
  const auto* text = member->if_string();
  if (!text) return fail(Code::invalid, cat(where, "\"", name, "\" must be a string"));
  return std::string(*text);
}

Result<std::string> base64_member(const json::object& object, std::string_view where, std::string_view name) {
  PICKET_LET(text, string_member(object, where, name));
  auto bytes = from_base64(text);
  if (!bytes) return fail(Code::invalid, cat(where, "\"", name, "\" is not base64"));
  return std::move(*bytes);
}

Result<DsseSignature> parse_signature(const json::value& value, std::size_t index) {
  const auto where = cat("DSSE envelope: signature ", std::to_string(index), ": ");
  const auto* object = value.if_object();
  if (!object) return fail(Code::invalid, cat(where, "must be an object"));
  DsseSignature out;
  if (object->contains("keyid")) {
    PICKET_LET(keyid, string_member(*object, where, "keyid"));
    out.keyid = std::move(keyid);
  }
  PICKET_LET(sig, base64_member(*object, where, "sig"));
  out.sig = std::move(sig);
  return out;
}

}  // namespace

std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload) {
  return cat("DSSEv1 ", std::to_string(payload_type.size()), " ", payload_type, " ", std::to_string(payload.size()), " ", payload);
}

Result<DsseEnvelope> DsseEnvelope::parse(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes)
    return fail(Code::too_large, cat("DSSE envelope: holds ", std::to_string(text.size()), " bytes, more than the limit of ", std::to_string(max_bytes)));
  auto root = parse_strict(text);
  if (!root) return fail(std::move(root).error(), "DSSE envelope");
  const auto* object = root->if_object();
  if (!object) return fail(Code::invalid, "DSSE envelope: must be an object");
  DsseEnvelope out;
  PICKET_LET(type, string_member(*object, "DSSE envelope: ", "payloadType"));
  if (type.empty()) return fail(Code::invalid, "DSSE envelope: \"payloadType\" is empty");
  out.payload_type = std::move(type);
  PICKET_LET(payload, base64_member(*object, "DSSE envelope: ", "payload"));
  out.payload = std::move(payload);
  const auto* member = object->if_contains("signatures");
  const auto* signatures = member ? member->if_array() : nullptr;
  if (!signatures) return fail(Code::invalid, "DSSE envelope: \"signatures\" must be an array");
  if (signatures->empty()) return fail(Code::invalid, "DSSE envelope: \"signatures\" is empty");
  if (signatures->size() > max_signatures) return fail(Code::too_large, "DSSE envelope: more than 64 signatures");
  for (const auto& value : *signatures) {
    PICKET_LET(signature, parse_signature(value, out.signatures.size() + 1));
    out.signatures.push_back(std::move(signature));
  }
  return out;
}

std::string DsseEnvelope::to_json() const {
  json::array list;
  for (const auto& signature : signatures) list.push_back(json::object{{"keyid", signature.keyid}, {"sig", to_base64(signature.sig)}});
  return json::serialize(json::object{{"payloadType", payload_type}, {"payload", to_base64(payload)}, {"signatures", std::move(list)}});
}

Result<> DsseEnvelope::sign(const PrivateKey& key) {
  PICKET_LET(sig, key.sign(pre_authentication_encoding(payload_type, payload)));
  const auto keyid = key.public_key().key_id();
  std::erase_if(signatures, [&](const DsseSignature& old) { return old.keyid == keyid; });
  if (signatures.size() >= max_signatures) return fail(Code::too_large, "DSSE envelope: more than 64 signatures");
  signatures.push_back({keyid, std::move(sig)});
  return {};
}

Result<std::vector<std::string>> DsseEnvelope::verify(std::string_view expected_type, std::span<const PublicKey> keys, unsigned threshold) const {
  if (threshold == 0) return fail(Code::invalid, "DSSE envelope: a threshold of 0 would trust anything");
  if (payload_type != expected_type)
    return fail(Code::untrusted, cat("DSSE envelope: is of type \"", payload_type, "\", not \"", expected_type, "\""));
  const auto signed_bytes = pre_authentication_encoding(payload_type, payload);
  std::vector<std::string> ids;
  for (const auto& key : keys) ids.push_back(key.key_id());
  std::set<std::string, std::less<>> counted;  // identities: one key under two ids counts once
  std::vector<std::string> signers;
  unsigned tries = 0;
  const auto attempt = [&](const DsseSignature& signature, std::size_t i) {
    if (!keys[i].can_verify() || counted.contains(keys[i].identity()) || ++tries > max_tries) return false;
    if (!keys[i].verify(signed_bytes, signature.sig)) return false;
    counted.insert(keys[i].identity());
    signers.push_back(ids[i]);
    return true;
  };
  std::vector<const DsseSignature*> unnamed;
  for (const auto& signature : signatures) {
    const auto named = std::find(ids.begin(), ids.end(), signature.keyid);
    if (named == ids.end())
      unnamed.push_back(&signature);
    else
      attempt(signature, static_cast<std::size_t>(named - ids.begin()));
  }
  for (const auto* signature : unnamed)
    for (std::size_t i = 0; i < keys.size() && counted.size() < threshold; ++i)
      if (attempt(*signature, i)) break;
  if (counted.size() < threshold)
    return fail(Code::untrusted, cat("DSSE envelope: signed by ", std::to_string(counted.size()), " of the trusted keys, needs ", std::to_string(threshold)));
  return signers;
}

Result<std::vector<PublicKey>> load_keys(const std::string& folder) {
  std::error_code why;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(folder, why), end; !why && entry != end; entry.increment(why))
    if (entry->path().native().ends_with(".pub.json")) files.push_back(entry->path());
  if (why) return fail_errno(cat("read folder of keys ", folder), why.value());
  if (files.size() > max_key_files) return fail(Code::too_large, cat("folder of keys ", folder, ": more than 256 keys"));
  std::sort(files.begin(), files.end());
  std::vector<PublicKey> out;
  for (const auto& file : files) {
    PICKET_LET(text, read_file(file, max_key_bytes));
    auto value = parse_strict(text);
    if (!value) return fail(std::move(value).error(), file.native());
    if (!value->is_object()) return fail(Code::invalid, cat(file.native(), ": must be a JSON object"));
    auto key = PublicKey::parse(value->get_object());
    if (!key) return fail(std::move(key).error(), file.native());
    if (!key->can_verify()) return fail(Code::unsupported, cat(file.native(), ": cannot be used: ", key->why_not()));
    out.push_back(std::move(*key));
  }
  return out;
}

}  // namespace picket::trust
