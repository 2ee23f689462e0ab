#include "policy/local.hpp"

#include "base/files.hpp"
#include "trust/json.hpp"

namespace picket::policy {
namespace {

constexpr std::uint64_t max_local = 256u << 10;

}  // namespace

Result<json::object> parse_local(std::string_view text) {
  PICKET_LET(parsed, trust::parse_strict(text, {}, trust::Numbers::any));
  if (!parsed.is_object()) return fail(Code::invalid, "not a JSON object");
  return std::move(parsed.get_object());
}

LocalFile read_local(const std::filesystem::path& folder, std::string_view id) {
  LocalFile out;
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (folder.empty() || id.empty() || id.front() == '.' || id.find_first_not_of(allowed) != id.npos) return out;
  const auto path = folder / cat(id, ".json");
  out.name = path.string();
  auto text = read_file(path, max_local);
  if (!text) {
    if (text.error().code != Code::not_found) out.problem = text.error().message;
    return out;
  }
  if (auto parsed = parse_local(*text)) out.settings = std::move(*parsed);
  else out.problem = cat(out.name, ": ", parsed.error().message);
  return out;
}

const LocalFile& LocalFiles::of(const std::string& id) {
  const auto known = files_.find(id);
  return known != files_.end() ? known->second : files_.emplace(id, read_local(folder_, id)).first->second;
}

}  // namespace picket::policy
