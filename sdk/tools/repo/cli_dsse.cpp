// dsse sign, verify: policies and plugin manifests.
#include <cstdio>

#include "base/files.hpp"
#include "repo/session.hpp"
#include "trust/dsse.hpp"

namespace picket::repo {

namespace {

constexpr std::uint64_t max_payload = 3u << 20;  // readers take envelopes of 4 MB, and base64 needs a third more

Result<trust::PrivateKey> private_key(const Options& options, const std::string& what) {
  if (what.ends_with(".pem")) return read_private_key(what, what, ask_passphrase);
  PICKET_LET(keys, open_keys(options));
  PICKET_LET(info, keys.find(what));
  return keys.load_private(info);
}

Result<> sign(const Options& options) {
  const auto& file = options.positionals().front();
  trust::DsseEnvelope envelope;
  if (options.has("add")) {
    PICKET_LET(text, read_file(file, 4u << 20));
    PICKET_LET(parsed, trust::DsseEnvelope::parse(text));
    envelope = std::move(parsed);
    if (envelope.payload_type != options.get("type"))
      return fail(Code::conflict, cat(file, ": is of type \"", envelope.payload_type, "\", not \"", options.get("type"), "\""));
  } else {
    PICKET_LET(text, read_file(file, max_payload));
    envelope.payload_type = options.get("type");
    envelope.payload = std::move(text);
  }
  for (const auto& each : options.all("key")) {
    PICKET_LET(key, private_key(options, each));
    PICKET_TRY(envelope.sign(key));
  }
  const auto text = envelope.to_json() + "\n";
  if (options.has("out")) return write_file_atomic(options.get("out"), text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

Result<> verify(const Options& options) {
  PICKET_LET(needed, options.integer(options.get("threshold", "1"), 1, 64, "--threshold"));
  std::vector<trust::PublicKey> keys;
  for (const auto& each : options.all("key")) {
    if (each.ends_with(".json")) {
      PICKET_LET(key, read_public_key(each));
      keys.push_back(std::move(key));
    } else {
      PICKET_LET(store, open_keys(options));
      PICKET_LET(info, store.find(each));
      keys.push_back(std::move(info.key));
    }
  }
  for (const auto& folder : options.all("trust")) {
    PICKET_LET(more, trust::load_keys(folder));
    keys.insert(keys.end(), more.begin(), more.end());
  }
  const auto& file = options.positionals().front();
  PICKET_LET(text, read_file(file, 4u << 20));
  auto envelope = trust::DsseEnvelope::parse(text);
  if (!envelope) return fail(std::move(envelope).error(), file);
  auto signers = envelope->verify(options.get("type"), keys, static_cast<unsigned>(needed));
  if (!signers) return fail(std::move(signers).error(), file);
  if (options.has("payload")) {
    std::fwrite(envelope->payload.data(), 1, envelope->payload.size(), stdout);
    return {};
  }
  for (const auto& keyid : *signers) std::printf("Good signature by %s\n", keyid.c_str());
  return {};
}

int run_sign(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.required("type", "TYPE", "payload type, like application/vnd.picket.policy+json")
      .list("key", "KEY", "a private key: a .key.pem file, or a name in a folder of keys; may be given again")
      .value("out", "FILE", "write here (default: standard output)")
      .flag("add", "FILE is an envelope already: add a signature")
      .positional("FILE", 1, 1);
  if (const auto end = options.parse(arguments)) return *end;
  if (!options.has("key")) return options.mistake("--key is missing");
  return finish(options, sign(options));
}

int run_verify(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.required("type", "TYPE", "the payload type that is expected")
      .list("key", "KEY", "a public key: a .pub.json file, or a name in a folder of keys; may be given again")
      .list("trust", "DIR", "trust every *.pub.json in this folder")
      .value("threshold", "N", "how many of the keys must have signed (default 1)")
      .flag("payload", "print the payload")
      .positional("FILE", 1, 1);
  if (const auto end = options.parse(arguments)) return *end;
  if (!options.has("key") && !options.has("trust")) return options.mistake("--key or --trust is missing");
  return finish(options, verify(options));
}

}  // namespace

std::vector<Command> dsse_commands() {
  return {
      {{"dsse sign", "FILE", "Put a file into a signed DSSE envelope: policies, plugin manifests.",
        "  picket-repo dsse sign --type application/vnd.picket.policy+json --key policy.key.pem policy.json > policy.dsse.json\n"
        "  picket-repo dsse sign --type application/vnd.picket.plugin+json --keys keys --key vendor plugin.json --out plugin.json.dsse"},
       run_sign},
      {{"dsse verify", "FILE", "Check a DSSE envelope, and print its payload.",
        "  picket-repo dsse verify --type application/vnd.picket.policy+json --key policy.pub.json --payload policy.dsse.json"},
       run_verify},
  };
}

}  // namespace picket::repo
