#include "ksn/setup.hpp"

#include <algorithm>
#include <filesystem>

#include <arpa/inet.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "certificates/certificates.hpp"
#include "ksn/provider.hpp"
#include "ksn_store/store.hpp"
#include "trust/dsse.hpp"

namespace picket::ksn_tool {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::uint16_t kServicePort = 13112;
constexpr std::size_t kMostPemBytes = 65536;
// Every other plugin that ships: each would be a process that does nothing here.
constexpr std::string_view kNotNeeded[] = {"cloud-mode", "distribution-point", "ksn-client", "ksn-proxy", "scanner",
                                           "source-distribution-point", "source-folder", "source-ftp", "source-http", "source-share"};

std::string host_name() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

bool is_ip_address(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

// A lost private key cannot be had again: never over an existing file.
Result<> create(const std::string& file, std::string_view text, unsigned mode) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(file, ignored))) return fail(Code::conflict, cat(file, " exists already"));
  return write_file_atomic(file, text, mode);
}

// "https://host:port" -> host without brackets, port.
struct HostPort {
  std::string host;
  std::uint16_t port = 443;
};
HostPort split_server(const std::string& server) {
  HostPort out;
  std::string_view rest = server;
  if (rest.starts_with("https://")) rest.remove_prefix(8);
  auto colon = rest.rfind(':');
  if (colon != rest.npos && rest.find(']', colon) == rest.npos) {
    out.port = static_cast<std::uint16_t>(std::atoi(std::string(rest.substr(colon + 1)).c_str()));
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  out.host = rest;
  return out;
}

Result<trust::PrivateKey> make_key(const Folder& folder, const std::string& name) {
  PICKET_LET(key, trust::PrivateKey::generate("ed25519"));
  PICKET_LET(pem, key.to_pem());
  PICKET_TRY(create(folder.file(name + ".key.pem"), pem, 0600));
  PICKET_TRY(create(folder.file(name + ".pub.json"), json::serialize(key.public_key().to_json()) + "\n", 0644));
  return key;
}

}  // namespace

Result<> set_up(const Folder& folder, const Setup& setup, std::int64_t now) {
  std::error_code error;
  if (fs::exists(folder.settings(), error)) return fail(Code::conflict, cat(folder.path, " holds a KSN already"));
  if (!folder.path.starts_with('/')) return fail(Code::invalid, cat("'", folder.path, "' is no absolute path"));
  if (folder.path.find_first_of("#\n") != std::string::npos) return fail(Code::invalid, "FOLDER: '#' and line breaks cannot stand in picketd.conf");
  if (setup.certificate.empty() != setup.key.empty()) return fail(Code::invalid, "--certificate and --key belong together");
  if (!is_ip_address(setup.listen)) return fail(Code::invalid, cat("--listen: '", setup.listen, "' is no IP address of this computer; 0.0.0.0 or :: are all"));
  for (const auto& server : setup.servers)
    if (!server.starts_with("https://")) return fail(Code::invalid, cat("--server: '", server, "' is not https://HOST:PORT"));
  auto servers = setup.servers;
  if (servers.empty()) servers.push_back(cat("https://", host_name(), ":", std::to_string(setup.port != 0 ? setup.port : kServicePort)));
  const auto port = setup.port != 0 ? setup.port : split_server(servers[0]).port;
  std::vector<std::string> hosts;
  for (const auto& server : servers)
    if (auto host = split_server(server).host; std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(std::move(host));

  // What is wrong with the names shows before anything is written.
  ksn::Provider provider;
  provider.name = setup.name;
  provider.contact = setup.contact;
  provider.created = now;
  provider.servers = servers;
  certificates::KeyAndCertificate authority, server;
  if (setup.certificate.empty()) {
    PICKET_LET(made, certificates::make_authority(cat(setup.name, " authority")));
    authority = std::move(made);
    PICKET_LET(signed_by_it, certificates::make_server_certificate(authority, hosts));
    server = std::move(signed_by_it);
    provider.certificate = authority.certificate;
  } else if (!setup.authority.empty()) {
    PICKET_LET(text, read_file(setup.authority, kMostPemBytes));
    provider.certificate = std::move(text);
  }
  PICKET_LET(trial_key, trust::PrivateKey::generate("ed25519"));
  const auto seal = [&](const trust::PrivateKey& key) -> Result<std::string> {
    trust::DsseEnvelope envelope{std::string(ksn::kProviderType), provider.to_json(), {}};
    PICKET_TRY(envelope.sign(key));
    const std::vector<trust::PublicKey> keys{key.public_key()};
    const auto text = envelope.to_json();
    if (auto good = ksn::Provider::parse(text, keys); !good) return fail(std::move(good).error());
    return text;
  };
  provider.answer_keys = {trial_key.public_key()};
  PICKET_TRY(seal(trial_key));
  if (setup.store.starts_with("redis:"))  // nobody is asked yet
    if (auto named = ksn_store::open_store(setup.store); !named) return fail(std::move(named).error(), "--store");
  if (!setup.store.empty() && !setup.store.starts_with("redis:") && !setup.store.starts_with('/')) return fail(Code::invalid, cat("--store: '", setup.store, "' is neither an absolute path nor redis:HOST:PORT,..."));

  PICKET_TRY(make_folders(folder.path, 0700));
  for (const auto* name : {"settings", "data", "run", "tls", "trust", "trust/policy"}) PICKET_TRY(make_folders(folder.file(name), 0700));
  PICKET_LET(answer_key, make_key(folder, "answers"));
  PICKET_LET(provider_key, make_key(folder, "provider"));
  provider.answer_keys = {answer_key.public_key()};
  PICKET_LET(envelope, seal(provider_key));
  PICKET_TRY(create(folder.file("provider.json"), envelope + "\n", 0644));
  auto certificate_file = setup.certificate, key_file = setup.key;
  if (certificate_file.empty()) {
    certificate_file = folder.file("tls/server.pem"), key_file = folder.file("tls/server.key");
    PICKET_TRY(create(folder.file("tls/authority.key"), authority.key, 0600));
    PICKET_TRY(create(folder.file("tls/authority.pem"), authority.certificate, 0644));
    PICKET_TRY(create(key_file, server.key, 0600));
    PICKET_TRY(create(certificate_file, server.certificate, 0644));
  }
  const auto store = setup.store.empty() ? folder.file("store") : setup.store;
  if (!store.starts_with("redis:")) PICKET_TRY(ksn_store::open_store(store, true));
  std::string disabled;
  for (const auto name : kNotNeeded) disabled += cat("disabled = org.picket.", name, "\n");
  PICKET_TRY(create(folder.configuration(),
                    cat("# picketd as a private KSN, and nothing else; see config/roles/private_ksn.conf.\ndata-dir = ", folder.file("data"), "\nrun-dir = ", folder.file("run"), "\nsettings-dir = ", folder.file("settings"),
                        "\npolicy-keys = ", folder.file("trust/policy"), "\n", disabled),
                    0644));
  // Last: with it the folder is a KSN.
  return create(folder.settings(),
                json::serialize(json::object{{"enabled", true}, {"name", setup.name}, {"private", true}, {"store", store}, {"answer_key", folder.file("answers.key.pem")}, {"listen", setup.listen}, {"port", port},
                                             {"certificate", certificate_file}, {"key", key_file}, {"licences_required", setup.licences_required}}) +
                    "\n",
                0644);
}

}  // namespace picket::ksn_tool
