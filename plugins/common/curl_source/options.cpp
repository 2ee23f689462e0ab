#include "curl_source/options.hpp"

#include <strings.h>
#include <unistd.h>

#include <algorithm>

#include <boost/json.hpp>

namespace curl_source {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostListed = 32;

// Empty: taken. Otherwise what it must be.
std::string take(const json::value& value, const Option& option) {
  if (auto* const* flag = std::get_if<bool*>(&option.into)) {
    if (!value.is_bool()) return "must be true or false";
    **flag = value.get_bool();
    return {};
  }
  if (auto* const* text = std::get_if<std::string*>(&option.into)) {
    if (!value.is_string()) return "must be a text";
    **text = value.get_string();
    return (*text)->find('\0') != std::string::npos ? "contains a NUL byte" : "";
  }
  auto& list = *std::get<std::vector<std::string>*>(option.into);
  if (!value.is_array() || value.get_array().size() > kMostListed) return "must be a list of at most " + std::to_string(kMostListed) + " texts";
  list.clear();
  for (const auto& item : value.get_array()) {
    if (!item.is_string()) return "must be a list of texts";
    list.emplace_back(item.get_string());
  }
  return {};
}

}  // namespace

bool has_control_or_space(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

Outcome<> read_options(const picket::source::v1::Source& source, std::string_view kind, std::span<const Option> known) {
  if (source.options_json().empty()) return {};
  json::error_code error;
  const auto value = json::parse(source.options_json(), error);
  if (error || !value.is_object()) return bad_source(source.name(), "options are not a JSON object");
  for (const auto& member : value.get_object()) {
    const std::string_view key = member.key();
    const auto found = std::ranges::find(known, key, &Option::name);
    if (found == known.end()) return bad_source(source.name(), std::string(kind) + " knows no option '" + std::string(key) + "'");
    if (const auto why = take(member.value(), *found); !why.empty()) return bad_source(source.name(), "option " + std::string(key) + " " + why);
  }
  return {};
}

Outcome<> want_absolute(const std::string& source, std::span<const Option> paths) {
  for (const auto& path : paths) {
    const auto& text = *std::get<std::string*>(path.into);
    if (!text.empty() && text.front() != '/') return bad_source(source, "option " + std::string(path.name) + " must be an absolute path");
  }
  return {};
}

Outcome<> want_readable(const std::string& source, std::span<const Option> paths) {
  for (const auto& path : paths) {
    const auto& text = *std::get<std::string*>(path.into);
    if (!text.empty() && ::access(text.c_str(), R_OK) != 0) return bad_source(source, "option " + std::string(path.name) + ": " + text + " cannot be read");
  }
  return {};
}

Outcome<std::string> address_of(const std::string& base, std::string_view path) {
  const auto refuse = [&](const char* why) { return failed(PICKET_E_INVALID, "path '" + std::string(path.substr(0, 200)) + "' " + why); };
  if (path.empty() || path.size() > 4096) return refuse("is empty or too long");
  if (has_control_or_space(path) || path.find_first_of("?#\\") != std::string_view::npos) return refuse("has a character that must be percent-encoded");
  for (std::string_view rest = path;;) {
    const auto slash = rest.find('/');
    std::string part;  // as a server would read it: %2e is a dot
    for (std::size_t i = 0; i < rest.substr(0, slash).size(); ++i) {
      if (rest[i] == '%' && ::strncasecmp(rest.substr(i).data(), "%2e", std::min<std::size_t>(3, rest.size() - i)) == 0 && rest.size() - i >= 3) {
        part += '.';
        i += 2;
      } else {
        part += rest[i];
      }
    }
    if (part.empty() || part == "." || part == "..") return refuse("has an empty part, '.' or '..'");
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return base + std::string(path);
}

}  // namespace curl_source
