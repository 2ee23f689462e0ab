#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "trust/metadata.hpp"

namespace picket::trust {

Result<> verify_threshold(std::string_view role, const RoleKeys& role_keys, const KeyMap& keys, std::string_view signed_bytes,
                          const std::vector<Signature>& signatures) {
  // Key ids are opaque names that a publisher may give twice to one key: what counts is the key behind them (TAP 12).
  std::set<std::string_view> signers;
  const auto needed = static_cast<std::uint64_t>(std::max<std::int64_t>(role_keys.threshold, 1));
  for (const auto& keyid : role_keys.keyids) {
    const auto key = keys.find(keyid);
    if (key == keys.end() || !key->second.can_verify() || signers.contains(key->second.identity())) continue;
    const auto signature = std::find_if(signatures.begin(), signatures.end(), [&](const Signature& s) { return s.keyid == keyid; });
    if (signature == signatures.end() || signature->sig.empty() || !key->second.verify(signed_bytes, signature->sig)) continue;
    signers.insert(key->second.identity());
    if (signers.size() >= needed) return {};
  }
  return fail(Code::untrusted, cat(role, " is signed by ", std::to_string(signers.size()), " of its keys, ", std::to_string(needed), needed == 1 ? " is" : " are",
                                   " needed"));
}

bool is_root(std::string_view bytes, std::int64_t version) {
  const auto root = Metadata<Root>::parse(bytes);
  return root && root->version == version && verify_threshold("root", root->body.root, root->body.keys, root->signed_bytes, root->signatures);
}

Result<> verify_file(std::string_view what, std::string_view bytes, const MetaFile& expected) {
  if (expected.length && *expected.length != bytes.size())
    return fail(Code::untrusted, cat(what, " has ", std::to_string(bytes.size()), " bytes, ", std::to_string(*expected.length), " were promised"));
  bool checked = expected.hashes.empty();
  for (const auto& [algorithm, hash] : expected.hashes) {
    if (!Digest::is_known(algorithm)) continue;
    Digest digest(algorithm);
    digest.update(bytes);
    if (digest.finish_hex() != hash) return fail(Code::untrusted, cat(what, " does not have the promised ", algorithm));
    checked = true;
  }
  if (!checked) return fail(Code::untrusted, cat(what, " has only hashes of unknown algorithms"));
  return {};
}

}  // namespace picket::trust
