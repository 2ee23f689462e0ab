// The moment at which a bad plugin does its bad thing: settings {"when":"..."}.
#pragma once

#include <string>
#include <string_view>

inline std::string read_when(std::string_view settings) {
  constexpr std::string_view key = "\"when\":\"";
  const auto at = settings.find(key);
  if (at == std::string_view::npos) return "never";
  const auto rest = settings.substr(at + key.size());
  return std::string(rest.substr(0, rest.find('"')));
}
