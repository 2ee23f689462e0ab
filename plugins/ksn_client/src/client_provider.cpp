// Whose KSN it is, and the roads to it: the files that the settings name, which others may replace while the client runs.
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/files.hpp"
#include "base/free_with.hpp"
#include "client.hpp"

namespace ksn_client {
namespace {

constexpr std::uint64_t kMostProviderFile = 1u << 20, kMostPem = 1u << 20;

std::string host_of(std::string_view base_url) {
  const auto scheme = base_url.find("://");
  return std::string(scheme == std::string_view::npos ? base_url : base_url.substr(scheme + 3));
}

bool begins_with_certificate(const std::string& pem) {
  const picket::Owned<BIO, BIO_free_all> bio(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const picket::Owned<X509, X509_free> certificate(::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ::ERR_clear_error();
  return certificate != nullptr;
}

Result<picket::ksn::Provider> provider_in(const Settings& settings, const Result<std::string>& envelope) {
  if (settings.provider_file.empty()) return fail(Code::not_found, "no provider file is set");
  if (!envelope) return fail(envelope.error());
  PICKET_LET(keys, picket::trust::load_keys(settings.provider_keys));
  if (keys.empty()) return fail(Code::untrusted, cat("setting provider_keys: no key (*.pub.json) in ", settings.provider_keys));
  auto provider = picket::ksn::Provider::parse(*envelope, keys);
  if (!provider) return fail(std::move(provider).error(), settings.provider_file);
  return provider;
}

// Empty: the provider's counts.
Result<std::string> certificate_of_proxy(const Settings& settings) {
  if (!settings.use_proxy || settings.proxy.empty() || settings.proxy_certificate.empty()) return {};
  auto pem = picket::read_file(settings.proxy_certificate, kMostPem);
  if (!pem) return fail(std::move(pem).error(), "setting proxy_certificate");
  if (!begins_with_certificate(*pem)) return fail(Code::invalid, cat("setting proxy_certificate: ", settings.proxy_certificate, " holds no certificate in PEM"));
  return pem;
}

}  // namespace

std::string Client::Derived::trouble() const { return provider ? refused : cat("no provider of KSN: ", provider.error().message); }

std::string Client::trouble() const { return situation_.has_provider ? situation_.refused_file : situation_.no_provider; }

std::vector<std::string> Client::files_of(const Settings& settings) { return {settings.provider_file, settings.proxy_certificate}; }

// A file that is no good changes nothing while the settings name the same one: what it held before stays in force, as long as its keys count.
Client::Derived Client::read_provider(Settings settings) const {
  Derived out;
  out.files_seen = stamps_of(files_of(settings));
  auto envelope = settings.provider_file.empty() ? Result<std::string>() : picket::read_file(settings.provider_file, kMostProviderFile);
  out.provider = provider_in(settings, envelope);
  out.proxy_certificate = certificate_of_proxy(settings);
  std::string envelope_before, certificate_before;
  {
    const std::lock_guard lock(mutex_);
    if (settings_.provider_file == settings.provider_file) envelope_before = envelope_;
    if (settings_.proxy_certificate == settings.proxy_certificate) certificate_before = proxy_certificate_;
  }
  if (!out.provider && !envelope_before.empty()) {
    if (auto before = provider_in(settings, envelope_before)) {
      out.refused = cat("the new provider file is refused, and the one before stays in force: ", out.provider.error().message);
      out.provider = std::move(before);
      envelope = std::move(envelope_before);
    }
  }
  if (!out.proxy_certificate && !certificate_before.empty()) {
    out.refused += cat(out.refused.empty() ? "" : "; ", "the proxy's new certificate is refused, and the one before stays in force: ", out.proxy_certificate.error().message);
    out.proxy_certificate = std::move(certificate_before);
  }
  if (out.provider) out.envelope = std::move(*envelope);
  out.settings = std::move(settings);
  return out;
}

void Client::look_at_provider() {
  const std::lock_guard applying(applying_);
  Settings settings;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
  }
  auto derived = read_provider(std::move(settings));
  std::string read;
  {
    const std::lock_guard lock(mutex_);
    if (derived.files_seen == files_seen_ && derived.trouble() == trouble()) return;
    derived.local = local_;
    derived.no_lists = situation_.no_lists;
    derived.lists_seen = lists_seen_;
    if (derived.envelope != envelope_) read = cat("the provider file is read again: ", settings_.provider_file);
    else if (derived.proxy_certificate && *derived.proxy_certificate != proxy_certificate_) read = cat("the proxy's certificate is read again: ", settings_.proxy_certificate);
  }
  if (!read.empty() && derived.provider) host_.log(false, read);
  put_in_force(std::move(derived));
}

std::vector<Way> Client::ways_of(const Settings& settings, const picket::ksn::Provider& provider, const Result<std::string>& proxy_certificate, std::string& why_none) const {
  std::vector<Way> out;
  if (settings.use_proxy && !settings.proxy.empty()) {
    // The proxy stands in this network: no web proxy in between.
    if (proxy_certificate) out.push_back({{settings.proxy, proxy_certificate->empty() ? provider.certificate : *proxy_certificate, "", settings.fallback_resolvers}, true, cat("proxy ", host_of(settings.proxy))});
    else why_none = proxy_certificate.error().message;
  } else if (settings.use_proxy) {
    why_none = "no KSN proxy is set";
  }
  if (!settings.use_proxy || settings.servers_when_proxy_is_away) {
    for (const auto& server : provider.servers) {
      ksn_channel::Road road{server, provider.certificate, settings.web_proxy == "none" ? std::string() : settings.web_proxy, settings.fallback_resolvers};
      if (const auto good = check_road(road)) out.push_back({std::move(road), false, cat("server ", host_of(server))});
      else why_none = good.error().message;
    }
    if (out.empty() && why_none.empty()) why_none = "the provider names no servers";
  } else if (out.empty()) {
    why_none += ", and policy does not allow asking KSN's servers directly";
  }
  return out;
}

}  // namespace ksn_client
