#include "ksn/provider.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "ksn/limits.hpp"
#include "trust/json.hpp"
#include "trust/metadata.hpp"

namespace picket::ksn {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostProviderBytes = 256u << 10, kMostServers = 16, kMostCertificateBytes = 64u << 10;

tl::unexpected<Error> broken(std::string_view member, std::string_view rule) { return fail(Code::invalid, cat("provider file: \"", member, "\" ", rule)); }

Result<std::string> text_of(const json::object& object, std::string_view name, std::size_t most, bool may_be_empty) {
  const auto* member = object.if_contains(name);
  const auto* text = member ? member->if_string() : nullptr;
  if (!text) return broken(name, member ? "must be a string" : "is missing");
  if (text->size() > most) return broken(name, cat("is longer than ", std::to_string(most), " bytes"));
  if (text->empty() && !may_be_empty) return broken(name, "is empty");
  return std::string(*text);
}

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// "https://host" or "https://host:port", and nothing behind it.
bool is_server(std::string_view text) {
  if (!text.starts_with("https://")) return false;
  text.remove_prefix(8);
  const auto colon = text.starts_with('[') ? text.find(':', std::min(text.find(']'), text.size())) : text.find(':');
  if (colon != text.npos) {
    const auto port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != port.npos) return false;
    if (const auto number = std::stoul(std::string(port)); number == 0 || number > 65535) return false;
    text = text.substr(0, colon);
  }
  if (text.size() > 255 || text.empty()) return false;
  if (text.front() == '[') return text.back() == ']' && text.size() > 3 && text.substr(1, text.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") == text.npos;
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_'; });
}

Result<const json::array*> list_of(const json::object& object, std::string_view name, std::size_t most) {
  const auto* member = object.if_contains(name);
  const auto* list = member ? member->if_array() : nullptr;
  if (!list) return broken(name, member ? "must be an array" : "is missing");
  if (list->empty()) return broken(name, "is empty");
  if (list->size() > most) return broken(name, cat("has more than ", std::to_string(most), " entries"));
  return list;
}

Result<Provider> read_provider(const json::object& object) {
  const auto* version = object.if_contains("provider");
  if (!version || !version->is_int64()) return broken("provider", "must be the number 1");
  if (version->get_int64() != 1) return fail(Code::unsupported, cat("provider file: version ", std::to_string(version->get_int64()), " is not supported, only 1"));
  Provider out;
  PICKET_LET(name, text_of(object, "name", kMostTextBytes, false));
  if (!is_one_line(name)) return broken("name", "holds a control character");
  out.name = std::move(name);
  PICKET_LET(contact, text_of(object, "contact", kMostTextBytes, true));
  if (!is_one_line(contact)) return broken("contact", "holds a control character");
  out.contact = std::move(contact);
  PICKET_LET(created, text_of(object, "created", 64, false));
  const auto time = trust::parse_time(created);
  if (!time) return broken("created", "is not a time of the form YYYY-MM-DDTHH:MM:SSZ");
  out.created = *time;
  const auto* private_ksn = object.if_contains("private");
  if (!private_ksn || !private_ksn->is_bool()) return broken("private", "must be true or false");
  out.private_ksn = private_ksn->get_bool();
  PICKET_LET(servers, list_of(object, "servers", kMostServers));
  for (const auto& server : *servers) {
    const auto* text = server.if_string();
    if (!text || !is_server(*text)) return broken("servers", "must hold addresses of the form https://host:port");
    out.servers.emplace_back(*text);
  }
  PICKET_LET(keys, list_of(object, "answer_keys", kMostSigners));
  bool usable = false;
  for (const auto& value : *keys) {
    const auto* key_object = value.if_object();
    if (!key_object) return broken("answer_keys", "must hold key objects");
    auto key = trust::PublicKey::parse(*key_object);
    if (!key) return broken("answer_keys", key.error().message);
    usable = usable || key->can_verify();
    out.answer_keys.push_back(std::move(*key));
  }
  if (!usable) return broken("answer_keys", cat("holds no key that can be used: ", out.answer_keys.front().why_not()));
  PICKET_LET(certificate, text_of(object, "certificate", kMostCertificateBytes, true));
  if (!certificate.empty() && !certificate.starts_with("-----BEGIN CERTIFICATE-----")) return broken("certificate", "is not a certificate in PEM");
  out.certificate = std::move(certificate);
  return out;
}

}  // namespace

Result<Provider> Provider::parse(std::string_view envelope, std::span<const trust::PublicKey> keys) {
  auto parsed = trust::DsseEnvelope::parse(envelope, kMostProviderBytes);
  if (!parsed) return fail(std::move(parsed).error(), "provider file");
  if (auto trusted = parsed->verify(kProviderType, keys); !trusted) return fail(std::move(trusted).error(), "provider file");
  auto value = trust::parse_strict(parsed->payload);
  if (!value) return fail(std::move(value).error(), "provider file");
  const auto* object = value->if_object();
  if (!object) return fail(Code::invalid, "provider file: must hold an object");
  return read_provider(*object);
}

std::string Provider::to_json() const {
  json::array server_list, key_list;
  for (const auto& server : servers) server_list.emplace_back(server);
  for (const auto& key : answer_keys) key_list.emplace_back(key.to_json());
  return json::serialize(json::object{{"provider", 1}, {"name", name}, {"contact", contact}, {"created", trust::format_time(created)}, {"private", private_ksn},
                                      {"servers", std::move(server_list)}, {"answer_keys", std::move(key_list)}, {"certificate", certificate}});
}

}  // namespace picket::ksn
