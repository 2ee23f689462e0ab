// The signature in a Windows program (PE): who signed it, and whether the image is what was signed. Microsoft, "Windows Authenticode
// Portable Executable Signature Format" (2008) and "PE Format".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ksn_client {

struct PeSignature {
  std::string publisher;      // organisation of the signer's certificate, else its common name
  std::string product;        // as the signer described the program; often missing
  bool image_matches = false; // the image is what was signed, and the signature is good
  bool trusted = false;       // and the signer's certificate led to one of the authorities when it was signed: as its time stamp says, else now
  std::string note;           // why not
};

[[nodiscard]] bool is_pe(std::string_view image);
// nullopt: a PE without a signature. Code::invalid: the signature cannot be read. `authorities`: PEM file, empty: the system's.
[[nodiscard]] picket::Result<std::optional<PeSignature>> pe_signature(std::string_view image, const std::string& authorities);

}  // namespace ksn_client
