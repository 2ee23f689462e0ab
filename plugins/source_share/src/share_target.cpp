#include "share_target.hpp"

#include <algorithm>
#include <charconv>

#include <boost/json.hpp>

#include "file_source/location.hpp"

namespace source_share {
namespace {

namespace json = boost::json;
using file_source::failed;
using file_source::Outcome;

constexpr std::string_view kScheme = "smb://";
constexpr std::size_t kMostText = 255;  // libsmbclient's buffers for user, password and domain are 256 bytes

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
}

std::string encoded(const std::vector<std::string>& folders, const std::vector<std::string>& parts) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const auto* list : {&folders, &parts})
    for (const auto& part : *list) {
      out += '/';
      for (const char c : part) {
        if ((is_host_char(c) && c != ':') || c == '~') {
          out += c;
        } else {
          const auto byte = static_cast<unsigned char>(c);
          out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
        }
      }
    }
  return out;
}

Outcome<> read_options(const picket::source::v1::Source& source, Target& target) {
  if (source.options_json().empty()) return {};
  const auto bad = [&](const std::string& what) { return failed(PICKET_E_INVALID, "source '" + source.name() + "': " + what); };
  json::error_code error;
  const auto value = json::parse(source.options_json(), error);
  if (error || !value.is_object()) return bad("options are not a JSON object");
  for (const auto& member : value.get_object()) {
    const std::string key(member.key());
    std::string* text = key == "user" ? &target.user : key == "password" ? &target.password : key == "domain" ? &target.domain : nullptr;
    if (text == nullptr) {
      return bad("a share knows no option '" + key + "'");
    } else if (!member.value().is_string() || member.value().get_string().size() > kMostText || member.value().get_string().find('\0') != std::string_view::npos) {
      return bad("option " + key + " must be a text of at most " + std::to_string(kMostText) + " bytes");
    } else {
      *text = member.value().get_string();
    }
  }
  if (target.user.empty() && !(target.password.empty() && target.domain.empty())) return bad("a password or a domain without the option user");
  return {};
}

}  // namespace

std::string Target::url(const std::vector<std::string>& parts) const { return std::string(kScheme) + server + "/" + encoded({share}, {}).substr(1) + encoded(folders, parts); }

std::string Target::address(const std::vector<std::string>& parts) const {
  return std::string(kScheme) + server + (port != 0 ? ":" + std::to_string(port) : std::string()) + encoded({share}, {}) + encoded(folders, parts);
}

Outcome<Target> parse_target(const picket::source::v1::Source& source, bool allow_guest) {
  const auto bad = [&](const std::string& what) { return failed(PICKET_E_INVALID, "source '" + source.name() + "': " + what); };
  std::string_view rest = source.location();
  if (!rest.starts_with(kScheme)) return bad("the location must begin with smb://, file:// or /");
  rest.remove_prefix(kScheme.size());
  const auto slash = rest.find('/');
  std::string_view host = rest.substr(0, slash);
  if (host.find('@') != std::string_view::npos || host.find(';') != std::string_view::npos)
    return bad("the location holds a user or a password: put them into the options user, password and domain");
  Target target;
  const bool ipv6 = host.starts_with('[');
  const auto end = ipv6 ? host.find(']') : host.find(':');
  if (ipv6 && end == std::string_view::npos) return bad("the server's address has no closing ']'");
  target.server = ipv6 ? host.substr(1, end - 1) : host.substr(0, end);
  std::string_view port = end == std::string_view::npos ? std::string_view() : host.substr(ipv6 ? end + 1 : end);
  if (!port.empty()) {
    const auto [last, error] = std::from_chars(port.data() + 1, port.data() + port.size(), target.port);
    if (port.front() != ':' || error != std::errc() || last != port.data() + port.size() || target.port == 0) return bad("the port must be a number from 1 to 65535");
  }
  if (target.server.empty() || !std::ranges::all_of(target.server, is_host_char)) return bad("the location names no server: smb://server/share/folder/");
  std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return bad("the location names no share: smb://server/share/folder/");
  auto parts = file_source::path_parts(path);
  if (!parts) return bad("the location's " + parts.error().text);
  target.share = parts->front();
  target.folders.assign(parts->begin() + 1, parts->end());
  if (auto read = read_options(source, target); !read) return tl::unexpected(read.error());
  if (target.is_guest() && !allow_guest) return failed(PICKET_E_DENIED, "source '" + source.name() + "': guests are switched off (allow_guest): give the options user and password");
  return target;
}

}  // namespace source_share
