// Shape checks: what comes out is well-formed, and nothing more. This runs before any signature is checked, on bytes of anybody.
#include <limits>
#include <set>

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

#include "base/bytes.hpp"
#include "trust/json.hpp"
#include "trust/metadata.hpp"

namespace picket::trust {
namespace {

// Where in the document: a chain on the stack, made a text only when something is wrong there.
struct Where {
  const Where* up = nullptr;
  std::string_view name;
  [[nodiscard]] std::string text() const { return up != nullptr ? cat(up->text(), ".", name.substr(0, 100)) : std::string(name); }
};

auto wrong(const Where& where, std::string_view rule) { return fail(Code::invalid, cat(where.text(), " ", rule)); }
auto wrong(const Where& up, std::string_view name, std::string_view rule) { return wrong(Where{&up, name}, rule); }

Result<json::object*> object_of(json::value& value, const Where& where) {
  if (auto* object = value.if_object()) return object;
  return wrong(where, "must be an object");
}
Result<json::object*> object_in(json::object& parent, std::string_view name, const Where& where) {
  if (auto* value = parent.if_contains(name)) return object_of(*value, {&where, name});
  return wrong(where, name, "is missing");
}
Result<json::array*> array_in(json::object& parent, std::string_view name, const Where& where) {
  auto* value = parent.if_contains(name);
  if (value == nullptr) return wrong(where, name, "is missing");
  if (auto* array = value->if_array()) return array;
  return wrong(where, name, "must be an array");
}
Result<std::string_view> string_in(const json::object& parent, std::string_view name, const Where& where) {
  const auto* value = parent.if_contains(name);
  if (value == nullptr) return wrong(where, name, "is missing");
  if (const auto* text = value->if_string()) return std::string_view(*text);
  return wrong(where, name, "must be a string");
}
Result<bool> bool_in(const json::object& parent, std::string_view name, const Where& where) {
  const auto* value = parent.if_contains(name);
  if (value == nullptr) return wrong(where, name, "is missing");
  if (const auto* flag = value->if_bool()) return *flag;
  return wrong(where, name, "must be true or false");
}
Result<std::int64_t> integer_in(const json::object& parent, std::string_view name, const Where& where, std::int64_t least) {
  const auto* value = parent.if_contains(name);
  if (value == nullptr) return wrong(where, name, "is missing");
  const auto* number = value->if_int64();
  if (number == nullptr || *number < least) return wrong(where, name, cat("must be an integer of at least ", std::to_string(least)));
  return *number;
}
Result<std::vector<std::string>> strings_in(json::object& parent, std::string_view name, const Where& where) {
  PICKET_LET(array, array_in(parent, name, where));
  std::vector<std::string> out;
  out.reserve(array->size());
  for (const auto& element : *array) {
    const auto* text = element.if_string();
    if (text == nullptr) return wrong(where, name, "must hold strings only");
    out.emplace_back(*text);
  }
  return out;
}

Result<std::map<std::string, std::string>> hashes_in(json::object& parent, const Where& where) {
  PICKET_LET(object, object_in(parent, "hashes", where));
  if (object->empty()) return wrong(where, "hashes", "must not be empty");
  std::map<std::string, std::string> out;
  for (const auto& [algorithm, value] : *object) {
    const auto* text = value.if_string();
    if (text == nullptr) return wrong(where, "hashes", "must hold strings only");
    out.emplace(algorithm, *text);
  }
  return out;
}

Result<RoleKeys> role_keys(json::object& object, const Where& where) {
  RoleKeys out;
  PICKET_LET(keyids, strings_in(object, "keyids", where));
  if (std::set<std::string_view>(keyids.begin(), keyids.end()).size() != keyids.size()) return wrong(where, "keyids", "names a key twice");
  PICKET_LET(threshold, integer_in(object, "threshold", where, 1));
  out.keyids = std::move(keyids);
  out.threshold = threshold;
  return out;
}

Result<KeyMap> keys_in(json::object& parent, const Where& up) {
  PICKET_LET(object, object_in(parent, "keys", up));
  const Where where{&up, "keys"};
  KeyMap out;
  for (auto& [keyid, value] : *object) {
    const Where here{&where, keyid};
    PICKET_LET(key_object, object_of(value, here));
    auto key = PublicKey::parse(*key_object);
    if (!key) return fail(std::move(key).error(), here.text());
    out.emplace(keyid, std::move(*key));
  }
  return out;
}

Result<MetaFile> meta_file(json::value& value, const Where& where) {
  PICKET_LET(object, object_of(value, where));
  MetaFile out;
  PICKET_LET(version, integer_in(*object, "version", where, 1));
  out.version = version;
  if (object->contains("length")) {
    PICKET_LET(length, integer_in(*object, "length", where, 0));
    out.length = static_cast<std::uint64_t>(length);
  }
  if (object->contains("hashes")) {
    PICKET_LET(hashes, hashes_in(*object, where));
    out.hashes = std::move(hashes);
  }
  return out;
}

bool is_top_level(std::string_view role) { return role == "root" || role == "timestamp" || role == "snapshot" || role == "targets"; }

Result<DelegatedRole> delegated_role(json::value& value, const Where& where) {
  PICKET_LET(object, object_of(value, where));
  DelegatedRole out;
  PICKET_LET(name, string_in(*object, "name", where));
  if (name.empty() || is_top_level(name)) return wrong(where, "name", "must not be empty or that of a top-level role");
  out.name = name;
  const Where here{&where, name};
  PICKET_LET(keys, role_keys(*object, here));
  out.keys = std::move(keys);
  PICKET_LET(terminating, bool_in(*object, "terminating", here));
  out.terminating = terminating;
  const bool by_path = object->contains("paths");
  if (by_path == object->contains("path_hash_prefixes")) return wrong(here, "must have exactly one of paths and path_hash_prefixes");
  PICKET_LET(list, strings_in(*object, by_path ? "paths" : "path_hash_prefixes", here));
  (by_path ? out.paths : out.path_hash_prefixes) = std::move(list);
  return out;
}

Result<SuccinctRoles> succinct_roles(json::object& object, const Where& where) {
  SuccinctRoles out;
  PICKET_LET(keys, role_keys(object, where));
  out.keys = std::move(keys);
  PICKET_LET(bits, integer_in(object, "bit_length", where, 1));
  if (bits > 32) return wrong(where, "bit_length", "must be at most 32");
  out.bit_length = static_cast<unsigned>(bits);
  PICKET_LET(prefix, string_in(object, "name_prefix", where));
  out.name_prefix = prefix;
  return out;
}

Result<Delegations> delegations_of(json::object& object, const Where& where) {
  Delegations out;
  PICKET_LET(keys, keys_in(object, where));
  out.keys = std::move(keys);
  const bool succinct = object.contains("succinct_roles");
  if (succinct == object.contains("roles")) return wrong(where, "must have exactly one of roles and succinct_roles");
  if (succinct) {
    PICKET_LET(roles_object, object_in(object, "succinct_roles", where));
    PICKET_LET(roles, succinct_roles(*roles_object, {&where, "succinct_roles"}));
    out.succinct = std::move(roles);
    return out;
  }
  PICKET_LET(array, array_in(object, "roles", where));
  const Where roles_here{&where, "roles"};
  std::set<std::string, std::less<>> names;
  out.roles.reserve(array->size());
  for (auto& value : *array) {
    PICKET_LET(role, delegated_role(value, roles_here));
    if (!names.insert(role.name).second) return wrong(roles_here, role.name, "is there twice");
    out.roles.push_back(std::move(role));
  }
  return out;
}

Result<Root> body_of(json::object& object, const Where& where, Root*) {
  Root out;
  if (object.contains("consistent_snapshot")) {
    PICKET_LET(consistent, bool_in(object, "consistent_snapshot", where));
    out.consistent_snapshot = consistent;
  }
  PICKET_LET(keys, keys_in(object, where));
  out.keys = std::move(keys);
  PICKET_LET(roles, object_in(object, "roles", where));
  const Where roles_here{&where, "roles"};
  // A fifth role ("mirrors" is optional in the specification) is nobody's business here.
  for (const auto& [name, role] : {std::pair<const char*, RoleKeys*>{"root", &out.root}, {"timestamp", &out.timestamp}, {"snapshot", &out.snapshot}, {"targets", &out.targets}}) {
    PICKET_LET(role_object, object_in(*roles, name, roles_here));
    PICKET_LET(parsed, role_keys(*role_object, {&roles_here, name}));
    *role = std::move(parsed);
  }
  return out;
}

Result<Timestamp> body_of(json::object& object, const Where& where, Timestamp*) {
  PICKET_LET(meta, object_in(object, "meta", where));
  const Where meta_here{&where, "meta"};
  auto* value = meta->if_contains("snapshot.json");
  if (value == nullptr) return wrong(meta_here, "snapshot.json", "is missing");
  PICKET_LET(file, meta_file(*value, {&meta_here, "snapshot.json"}));
  return Timestamp{std::move(file)};
}

Result<Snapshot> body_of(json::object& object, const Where& where, Snapshot*) {
  PICKET_LET(meta, object_in(object, "meta", where));
  const Where meta_here{&where, "meta"};
  Snapshot out;
  for (auto& [name, value] : *meta) {
    if (!std::string_view(name).ends_with(".json")) continue;  // TAP 8 lists rotate files here
    PICKET_LET(file, meta_file(value, {&meta_here, name}));
    out.meta.emplace(name, std::move(file));
  }
  return out;
}

Result<Targets> body_of(json::object& object, const Where& where, Targets*) {
  PICKET_LET(targets, object_in(object, "targets", where));
  const Where targets_here{&where, "targets"};
  Targets out;
  for (auto& [path, value] : *targets) {
    const Where here{&targets_here, path};
    PICKET_LET(target, object_of(value, here));
    TargetFile file;
    PICKET_LET(length, integer_in(*target, "length", here, 0));
    file.length = static_cast<std::uint64_t>(length);
    PICKET_LET(hashes, hashes_in(*target, here));
    file.hashes = std::move(hashes);
    if (target->contains("custom")) {
      PICKET_LET(custom, object_in(*target, "custom", here));
      file.custom = json::object(*custom, json::storage_ptr());  // out of the tree's memory
    }
    out.targets.emplace_hint(out.targets.end(), path, std::move(file));  // publishers write them sorted
  }
  if (object.contains("delegations")) {
    PICKET_LET(delegations_object, object_in(object, "delegations", where));
    PICKET_LET(delegations, delegations_of(*delegations_object, {&where, "delegations"}));
    out.delegations = std::move(delegations);
  }
  return out;
}

template <class Body>
constexpr std::string_view type_name = "";
template <>
constexpr std::string_view type_name<Root> = "root";
template <>
constexpr std::string_view type_name<Timestamp> = "timestamp";
template <>
constexpr std::string_view type_name<Snapshot> = "snapshot";
template <>
constexpr std::string_view type_name<Targets> = "targets";

// "1.x" or "1.x.y".
bool is_known_spec(std::string_view version) {
  if (!version.starts_with("1.") || version.size() > 32) return false;
  version.remove_prefix(2);
  const auto dot = version.find('.');
  const auto is_number = [](std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; };
  return is_number(version.substr(0, dot)) && (dot == std::string_view::npos || is_number(version.substr(dot + 1)));
}

Result<std::vector<Signature>> signatures_of(json::object& document) {
  const Where top{nullptr, "metadata"};
  PICKET_LET(array, array_in(document, "signatures", top));
  const Where where{&top, "signatures"};
  std::vector<Signature> out;
  std::set<std::string_view> seen;
  out.reserve(array->size());
  for (auto& value : *array) {
    PICKET_LET(object, object_of(value, where));
    PICKET_LET(keyid, string_in(*object, "keyid", where));
    PICKET_LET(sig, string_in(*object, "sig", where));
    // The specification: unique, even when the threshold is met without the second one (CVE-2026-6966).
    if (!seen.insert(keyid).second) return wrong(where, keyid, "is there twice");
    out.push_back({std::string(keyid), from_hex(sig).value_or("")});
  }
  return out;
}

}  // namespace

template <class Body>
Result<Metadata<Body>> Metadata<Body>::parse(std::string_view bytes) {
  // The tree is thrown away at the end: many small allocations, one release.
  json::monotonic_resource memory(bytes.size() * 2 + 1024);
  PICKET_LET(document, parse_strict(bytes, &memory));
  const Where where{nullptr, "signed"};
  PICKET_LET(top, object_of(document, {nullptr, "metadata"}));
  PICKET_LET(object, object_in(*top, "signed", {nullptr, "metadata"}));
  PICKET_LET(type, string_in(*object, "_type", where));
  if (type != type_name<Body>) return wrong(where, "_type", cat("must be '", type_name<Body>, "'"));
  PICKET_LET(spec_version, string_in(*object, "spec_version", where));
  if (!is_known_spec(spec_version)) return wrong(where, "spec_version", "must be 1.x.y");
  Metadata out;
  PICKET_LET(version, integer_in(*object, "version", where, 1));
  out.version = version;
  PICKET_LET(expires_text, string_in(*object, "expires", where));
  auto expires = parse_time(expires_text);
  if (!expires) return fail(std::move(expires).error(), "signed.expires");
  out.expires = *expires;
  PICKET_LET(signatures, signatures_of(*top));
  out.signatures = std::move(signatures);
  out.signed_bytes = canonical(*top->if_contains("signed"), bytes.size());
  PICKET_LET(body, body_of(*object, where, static_cast<Body*>(nullptr)));
  out.body = std::move(body);
  return out;
}

template struct Metadata<Root>;
template struct Metadata<Timestamp>;
template struct Metadata<Snapshot>;
template struct Metadata<Targets>;

}  // namespace picket::trust
