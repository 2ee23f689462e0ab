// release.json: which programs make up one version of the agent; signed, and carried by the component that updates picketd itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::package {

constexpr std::string_view kReleasePayloadType = "application/vnd.picket.agent-release+json";
constexpr std::string_view kReleaseFile = "release.json";
constexpr std::string_view kReleaseSignatureFile = "release.json.dsse";
constexpr std::size_t kMaxReleaseBytes = 64u << 10;

struct AgentRelease {
  std::string version;
  struct File {
    std::string path;  // bin/NAME
    std::string sha256;
    std::uint64_t size = 0;
  };
  std::vector<File> files;  // by path; bin/picketd and bin/picket-plugin-host are among them

  // Strict, as a manifest. Code::invalid names the member.
  [[nodiscard]] static Result<AgentRelease> parse(std::string_view text);
};

// Reads FOLDER's list; the signature is over exactly its bytes. The programs themselves are checked by who copies them. Code::untrusted.
[[nodiscard]] Result<AgentRelease> read_release(const std::filesystem::path& folder, std::span<const trust::PublicKey> keys);
// Lists the programs of FOLDER/bin and writes FOLDER/release.json and its signature.
[[nodiscard]] Result<AgentRelease> write_release(const std::filesystem::path& folder, const std::string& version, const trust::PrivateKey& key);

}  // namespace picket::package
