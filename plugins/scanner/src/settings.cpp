#include "settings.hpp"

#include <boost/json.hpp>

namespace scanner {

Outcome<Settings> parse_settings(std::string_view text) {
  boost::system::error_code error;
  const auto value = boost::json::parse(text, error);
  if (error || !value.is_object()) return failed(PICKET_E_INVALID, "settings are not a JSON object");
  Settings settings;
  for (const auto& member : value.get_object()) {
    const auto key = member.key();
    const std::int64_t number = member.value().is_int64() ? member.value().get_int64() : -1;
    if (key == "threads" && number >= 1 && number <= 16)
      settings.threads = static_cast<std::size_t>(number);
    else if (key == "max_file_bytes" && number >= 1024 && number <= static_cast<std::int64_t>(kMostFileBytes))
      settings.max_file_bytes = static_cast<std::uint64_t>(number);
    else if (key == "file_timeout_seconds" && number >= 1 && number <= 600)
      settings.file_timeout_seconds = static_cast<int>(number);
    else if (key == "ksn_timeout_ms" && number >= 100 && number <= 30'000)
      settings.ksn_timeout_ms = static_cast<int>(number);
    else if (key == "tolerate_broken_files" && member.value().is_bool())
      settings.tolerate_broken_files = member.value().get_bool();
    else
      return failed(PICKET_E_INVALID, "setting " + std::string(key) + " is unknown or out of range");
  }
  return settings;
}

}  // namespace scanner
