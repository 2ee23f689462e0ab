#include "policy/secrets.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "runtime/log_text.hpp"

namespace picket::policy {

bool is_secret_name(std::string_view member) {
  static constexpr std::array<std::string_view, 11> parts{"password", "passwd", "passphrase", "secret", "token", "credential",
                                                          "authorization", "cookie", "licence", "license", "private"};
  std::string name(member);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (name == "options" || name == "key" || name.ends_with("_key")) return true;
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return name.find(part) != name.npos; });
}

bool is_secret(const Path& path) {
  return std::any_of(path.begin(), path.end(), [](const std::string& member) { return is_secret_name(member); });
}

json::value without_secrets(const json::value& value) {
  if (const auto* text = value.if_string()) return json::value(runtime::redact(*text));
  if (const auto* array = value.if_array()) {
    json::array out;
    for (const auto& element : *array) out.push_back(without_secrets(element));
    return out;
  }
  if (const auto* object = value.if_object()) {
    json::object out;
    for (const auto& member : *object) out[member.key()] = is_secret_name(member.key()) ? json::value("***") : without_secrets(member.value());
    return out;
  }
  return value;
}

}  // namespace picket::policy
