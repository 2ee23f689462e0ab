#include "tls_server/own_certificate.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.hpp"
#include "certificates/certificates.hpp"

namespace tls_server {
namespace {

using picket::Code;
using picket::Result;
using picket::fail;
using picket::certificates::is_host;

constexpr int kDays = 3650;
constexpr std::size_t kMostNames = 64;

Result<> make(const CertificateFiles& files, std::vector<std::string> names) {
  if (names.size() > kMostNames) names.resize(kMostNames);
  PICKET_LET(pair, picket::certificates::make_self_signed(names, kDays));
  picket::remove_leftovers(files.key.parent_path());  // they may hold a key; where the pair is whole there are none
  // The key first: a power cut between the two leaves a pair that does not fit, which is made anew.
  PICKET_TRY(picket::write_file_atomic(files.key, pair.key, 0600));
  return picket::write_file_atomic(files.certificate, pair.certificate);
}

// Its digest; empty: there is none that can be used. And what it is not for.
Result<std::string> look(CertificateFiles& files, const std::vector<std::string>& names) {
  auto certificate = picket::read_file(files.certificate, 1u << 16);
  auto key = picket::read_file(files.key, 1u << 16);
  if (!certificate || !key) {
    const auto& error = !certificate ? certificate.error() : key.error();
    if (error.code == Code::not_found) return std::string();
    return fail(error);
  }
  for (const auto& name : names)
    if (!picket::certificates::is_for(*certificate, name)) files.not_for.push_back(name);
  return picket::certificates::digest_of({std::move(*certificate), std::move(*key)});
}

}  // namespace

Result<CertificateFiles> own_certificate(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  CertificateFiles files{folder / "server.pem", folder / "server.key", {}, false, {}};
  PICKET_TRY(picket::make_folders(folder, 0750));
  PICKET_LET(known, look(files, names));
  files.digest = known;
  if (!known.empty()) return files;
  PICKET_TRY(make(files, names));
  files.is_new = true;
  files.not_for.clear();
  PICKET_LET(made, look(files, {}));
  files.digest = made;
  return files;
}

std::vector<std::string> own_names() {
  std::vector<std::string> out;
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) == 0 && is_host(name)) out.emplace_back(name);
  out.emplace_back("localhost");
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const auto* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (one->ifa_addr->sa_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof text);
    else if (one->ifa_addr->sa_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, text, sizeof text);
    const std::string address = text;
    // Link-local addresses change, and no client calls a server by one.
    if (!address.empty() && !address.starts_with("fe80:") && std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  ::freeifaddrs(list);
  return out;
}

}  // namespace tls_server
