#include "content_kind.hpp"

namespace ksn_client {

std::string_view kind_of_content(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x7f"
                   "ELF"sv) || head.starts_with("MZ"sv) || head.starts_with("\xca\xfe\xba\xbe"sv) || head.starts_with("\xcf\xfa\xed\xfe"sv))
    return "executable";
  if (head.starts_with("#!"sv)) return "script";
  for (const auto magic : {"%PDF"sv, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "{\\rtf"sv})
    if (head.starts_with(magic)) return "document";
  // Office files are archives with these names first.
  if (head.starts_with("PK\3\4"sv)) return head.find("[Content_Types].xml") != std::string_view::npos || head.find("mimetypeapplication/vnd.oasis") != std::string_view::npos ? "document" : "archive";
  for (const auto magic : {"\x1f\x8b"sv, "7z\xbc\xaf\x27\x1c"sv, "Rar!"sv, "\xfd" "7zXZ"sv, "BZh"sv, "\x28\xb5\x2f\xfd"sv, "!<arch>\n"sv})
    if (head.starts_with(magic)) return "archive";
  return {};
}

}  // namespace ksn_client
