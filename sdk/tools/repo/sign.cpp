#include "repo/sign.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "repo/publish.hpp"

namespace picket::repo {

Result<SignReport> sign_staged(Workspace& workspace, const KeyStore& keys, const std::vector<std::string>& roles, const std::vector<std::string>& key_names) {
  std::set<std::string, std::less<>> allowed;  // key ids
  for (const auto& name : key_names) {
    PICKET_LET(info, keys.find(name));
    if (!info.private_file) return fail(Code::not_found, cat("the private half of key ", info.name, " is not here"));
    allowed.insert(info.keyid);
  }
  for (const auto& role : roles)
    if (!workspace.staged(role)) return fail(Code::not_found, cat("nothing is staged for ", role));

  SignReport report;
  std::map<std::string, trust::PrivateKey> loaded;  // each passphrase is asked for once
  std::vector<Document> documents;
  for (const auto* document : workspace.all_staged())
    if (roles.empty() || std::find(roles.begin(), roles.end(), document->role) != roles.end()) documents.push_back(*document);
  for (auto& document : documents) {
    PICKET_LET(authority, workspace.authority(document.role));
    std::vector<Authority> authorities{std::move(authority)};
    if (document.role == "root")
      if (auto previous = workspace.previous_root_authority()) authorities.push_back(std::move(*previous));
    bool changed = false;
    for (const auto& each : authorities) {
      const auto signers = document.signers(each);
      for (const auto& keyid : each.role.keyids) {
        const auto* info = keys.by_id(keyid);
        if (!info || !info->private_file || (!allowed.empty() && !allowed.contains(keyid))) continue;
        if (std::find(signers.begin(), signers.end(), keyid) != signers.end()) continue;
        if (!loaded.contains(keyid)) {
          PICKET_LET(key, keys.load_private(*info));
          loaded.emplace(keyid, std::move(key));
        }
        const bool again = std::any_of(report.added.begin(), report.added.end(), [&](const auto& done) { return done.role == document.role && done.key == info->name; });
        if (again) continue;  // named by the old root and the new one
        PICKET_TRY(document.sign(loaded.at(keyid)));
        report.added.push_back({document.role, info->name});
        changed = true;
      }
    }
    if (changed) PICKET_TRY(workspace.stage(document));
  }
  report.missing = missing_signatures(workspace, keys);
  if (report.added.empty() && !report.missing.empty()) return fail(Code::denied, cat("no private key here may give what is missing: ", report.missing.front()));
  return report;
}

}  // namespace picket::repo
