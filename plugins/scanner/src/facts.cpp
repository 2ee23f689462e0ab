#include "facts.hpp"

#include <openssl/evp.h>
#include <pwd.h>

#include <vector>

#include "base/bytes.hpp"

namespace scanner {
namespace {

std::string md5_of(std::string_view content) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  // Not for security: rules name known files by it. A computer that forbids MD5 (FIPS) leaves it empty.
  if (::EVP_Digest(content.data(), content.size(), digest, &size, ::EVP_md5(), nullptr) != 1) return {};
  return picket::to_hex({reinterpret_cast<const char*>(digest), size});
}

}  // namespace

bool sha256_of(std::string_view content, std::array<std::uint8_t, 32>& into) {
  unsigned size = 0;
  return ::EVP_Digest(content.data(), content.size(), into.data(), &size, ::EVP_sha256(), nullptr) == 1 && size == into.size();
}

std::string_view filetype_of(std::string_view content) {
  struct Magic {
    std::string_view bytes, type;
  };
  using namespace std::string_view_literals;
  static constexpr Magic kMagic[] = {
      {"MZ"sv, "EXE"sv},
      {"\x7F" "ELF"sv, "ELF"sv},
      {"%PDF"sv, "PDF"sv},
      {"PK\x03\x04"sv, "ZIP"sv},
      {"Rar!"sv, "RAR"sv},
      {"7z\xBC\xAF\x27\x1C"sv, "7ZIP"sv},
      {"\x1F\x8B"sv, "GZIP"sv},
      {"BZh"sv, "BZIP2"sv},
      {"\x28\xB5\x2F\xFD"sv, "ZSTD"sv},
      {"\xD0\xCF\x11\xE0"sv, "OLE"sv},
      {"{\\rtf"sv, "RTF"sv},
      {"\x89PNG"sv, "PNG"sv},
      {"GIF8"sv, "GIF"sv},
      {"\xFF\xD8\xFF"sv, "JPG"sv},
      {"\xCA\xFE\xBA\xBE"sv, "CLASS"sv},
      {"\xCF\xFA\xED\xFE"sv, "MACHO"sv},
      {"L\0\0\0"sv, "LNK"sv},
      {"MSCF"sv, "CAB"sv},
      {"<?php"sv, "PHP"sv},
      {"#!"sv, "SCRIPT"sv},
      {"<?xml"sv, "XML"sv},
  };
  for (const auto& magic : kMagic)
    if (content.substr(0, magic.bytes.size()) == magic.bytes) return magic.type;
  return {};
}

const std::string& FactFinder::name_of(uid_t owner) {
  const auto known = names_.find(owner);
  if (known != names_.end()) return known->second;
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  // In a sandbox there may be nobody to ask: then the number serves.
  if (::getpwuid_r(owner, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return names_[owner] = found->pw_name;
  return names_[owner] = std::to_string(owner);
}

Facts FactFinder::facts_of(const std::string& path, uid_t owner, std::string_view content) {
  Facts out;
  const std::size_t slash = path.rfind('/');
  out.filename = slash == std::string::npos ? path : path.substr(slash + 1);
  out.filepath = slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
  const std::size_t dot = out.filename.rfind('.');
  if (dot != std::string::npos && dot > 0) out.extension = out.filename.substr(dot);
  out.filetype = filetype_of(content);
  out.owner = name_of(owner);
  out.md5 = md5_of(content);
  return out;
}

}  // namespace scanner
