#include "ksn/rotation.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <boost/json/serialize.hpp>

#include "base/files.hpp"
#include "ksn/limits.hpp"
#include "ksn/provider.hpp"
#include "trust/dsse.hpp"
#include "trust/json.hpp"

namespace picket::ksn_tool {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 256u << 10;
constexpr std::int64_t kUsualTtl = 86'400;

bool is_there(const std::string& file) {
  std::error_code error;
  return fs::exists(file, error);
}

Result<trust::PrivateKey> read_private(const std::string& file) {
  PICKET_LET(pem, read_file(file, kMostBytes));
  auto key = trust::PrivateKey::from_pem(pem);
  std::fill(pem.begin(), pem.end(), '\0');
  if (!key) return fail(std::move(key).error(), file);
  return key;
}

// The provider file, and the key that signs it: one belongs to the other.
class ProviderFile {
 public:
  static Result<ProviderFile> open(const Folder& folder, const Rotation& rotation) {
    PICKET_LET(key, read_private(rotation.provider_key.empty() ? folder.file("provider.key.pem") : rotation.provider_key));
    ProviderFile out(folder.file("provider.json"), std::move(key));
    PICKET_LET(text, read_file(out.file_, kMostBytes));
    const std::vector<trust::PublicKey> keys{out.key_.public_key()};
    auto provider = ksn::Provider::parse(text, keys);
    if (!provider) return fail(std::move(provider).error(), out.file_);
    out.provider_ = std::move(*provider);
    return out;
  }
  [[nodiscard]] bool names(const std::string& key_id) const {
    return std::any_of(provider_.answer_keys.begin(), provider_.answer_keys.end(), [&](const auto& key) { return key.key_id() == key_id; });
  }
  Result<> write(std::vector<trust::PublicKey> answer_keys, std::int64_t now) {
    provider_.answer_keys = std::move(answer_keys);
    provider_.created = std::max(now, provider_.created + 1);
    trust::DsseEnvelope envelope{std::string(ksn::kProviderType), provider_.to_json(), {}};
    PICKET_TRY(envelope.sign(key_));
    return write_file_atomic(file_, envelope.to_json() + "\n", 0644);
  }
  [[nodiscard]] const std::vector<trust::PublicKey>& answer_keys() const { return provider_.answer_keys; }

 private:
  ProviderFile(std::string file, trust::PrivateKey key) : file_(std::move(file)), key_(std::move(key)) {}

  std::string file_;
  trust::PrivateKey key_;
  ksn::Provider provider_;
};

// For how long an answer may be repeated, as the settings say.
std::int64_t longest_ttl(const Folder& folder) {
  std::int64_t out = kUsualTtl;
  const auto text = read_file(folder.settings(), 1u << 20);
  const auto value = text ? trust::parse_strict(*text) : Result<json::value>(fail(Code::not_found, ""));
  const auto* settings = value ? value->if_object() : nullptr;
  const auto* ttl = settings ? settings->if_contains("ttl_seconds") : nullptr;
  if (ttl && ttl->is_object())
    for (const auto& member : ttl->get_object())
      if (member.value().is_int64()) out = std::max(out, member.value().get_int64());
  return std::min<std::int64_t>(out, ksn::kMostTtlSeconds);
}

Result<> move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(cat("rename ", from));
  return sync_folder(fs::path(to).parent_path());
}

}  // namespace

Result<trust::PublicKey> read_public(const std::string& file) {
  PICKET_LET(text, read_file(file, kMostBytes));
  auto value = trust::parse_strict(text);
  if (!value) return fail(std::move(value).error(), file);
  if (!value->is_object()) return fail(Code::invalid, cat(file, ": must be a JSON object (a key)"));
  auto key = trust::PublicKey::parse(value->get_object());
  if (!key) return fail(std::move(key).error(), file);
  return key;
}

Result<std::string> begin_rotation(const Folder& folder, const Rotation& rotation, std::int64_t now) {
  if (is_there(folder.file("answers.former.pub.json"))) return fail(Code::conflict, "the former key is still believed: picket-ksn key retire comes first");
  PICKET_LET(provider, ProviderFile::open(folder, rotation));
  PICKET_LET(current, read_public(folder.file("answers.pub.json")));
  const auto key_file = folder.file("answers.next.key.pem"), public_file = folder.file("answers.next.pub.json");
  if (is_there(public_file)) {
    PICKET_LET(next, read_public(public_file));
    if (provider.names(next.key_id())) return fail(Code::conflict, "a rotation has begun already: picket-ksn key change comes next");
  } else {
    PICKET_LET(key, trust::PrivateKey::generate("ed25519"));
    PICKET_LET(pem, key.to_pem());
    PICKET_TRY(write_file_atomic(key_file, pem, 0600));
    PICKET_TRY(write_file_atomic(public_file, json::serialize(key.public_key().to_json()) + "\n", 0644));
  }
  PICKET_LET(next, read_public(public_file));
  PICKET_TRY(provider.write({current, next}, now));
  return next.key_id();
}

Result<std::string> change_key(const Folder& folder) {
  const auto key_file = folder.file("answers.key.pem"), public_file = folder.file("answers.pub.json"), former_file = folder.file("answers.former.pub.json");
  const auto next_key = folder.file("answers.next.key.pem"), next_public = folder.file("answers.next.pub.json");
  if (!is_there(next_public)) return fail(Code::conflict, "no rotation has begun: picket-ksn key rotate comes first");
  PICKET_LET(next, read_public(next_public));
  if (is_there(next_key)) {
    PICKET_LET(former, read_file(public_file, kMostBytes));
    PICKET_TRY(write_file_atomic(former_file, former, 0644));
    PICKET_TRY(move(next_key, key_file));  // the old private key is of no use any more, and gone
  }
  PICKET_TRY(move(next_public, public_file));
  return next.key_id();
}

Result<std::string> retire_key(const Folder& folder, const Rotation& rotation, std::int64_t now) {
  const auto former_file = folder.file("answers.former.pub.json");
  if (is_there(folder.file("answers.next.pub.json"))) return fail(Code::conflict, "the service does not sign with the new key yet: picket-ksn key change comes first");
  if (!is_there(former_file)) return fail(Code::conflict, "there is no former key");
  PICKET_LET(former, read_public(former_file));
  std::error_code error;
  const auto changed = std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::to_sys(fs::last_write_time(former_file, error)).time_since_epoch()).count();
  const auto left = changed + longest_ttl(folder) + ksn::kClockSkewSeconds - now;
  if (!rotation.at_once && left > 0)
    return fail(Code::conflict, cat("proxies and clients may still repeat answers of the former key, for ", std::to_string((left + 3599) / 3600), " h: wait, or say --at-once yes (what they hold is asked again)"));
  PICKET_LET(provider, ProviderFile::open(folder, rotation));
  std::vector<trust::PublicKey> keys;
  for (const auto& key : provider.answer_keys())
    if (key.key_id() != former.key_id()) keys.push_back(key);
  PICKET_TRY(provider.write(std::move(keys), now));
  PICKET_TRY(remove_file(former_file));
  return former.key_id();
}

}  // namespace picket::ksn_tool
