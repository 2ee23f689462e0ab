#include "objects.hpp"

#include <openssl/evp.h>

#include "ksn/address.hpp"
#include "ksn/software.hpp"

namespace ksn_client {

using picket::cat;
using picket::Code;
using picket::fail;

std::string sha256(std::string_view bytes) {
  std::string out(picket::ksn::kDigestBytes, '\0');
  unsigned size = 0;
  ::EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size, ::EVP_sha256(), nullptr);
  return out;
}

picket::Result<Asked> asked_of(const v1::Object& object) {
  Asked out;
  switch (object.what_case()) {
    case v1::Object::kFileDigest:
      if (object.file_digest().size() != picket::ksn::kDigestBytes) return fail(Code::invalid, "a file's digest is SHA-256: 32 bytes");
      out.kind = v1::OBJECT_FILE;
      out.keys.push_back(key_of(out.kind, object.file_digest()));
      return out;
    case v1::Object::kAddress: {
      PICKET_LET(canonical, picket::ksn::canonical_address(object.address()));
      out.kind = v1::OBJECT_ADDRESS;
      out.names = picket::ksn::address_expressions(canonical);
      for (const auto& name : out.names) out.keys.push_back(key_of(out.kind, sha256(name)));
      if (out.keys.empty()) return fail(Code::invalid, "the address has no host");
      return out;
    }
    case v1::Object::kSoftware:
      if (object.software().publisher().empty()) return fail(Code::invalid, "software is asked by its publisher, and its product");
      if (object.software().publisher().size() > picket::ksn::kMostTextBytes || object.software().product().size() > picket::ksn::kMostTextBytes)
        return fail(Code::invalid, "the name of a publisher or product is longer than 256 bytes");
      out.kind = v1::OBJECT_SOFTWARE;
      if (!object.software().product().empty()) out.keys.push_back(key_of(out.kind, picket::ksn::software_digest(object.software().publisher(), object.software().product())));
      out.keys.push_back(key_of(out.kind, picket::ksn::software_digest(object.software().publisher(), "")));
      return out;
    default: return fail(Code::invalid, "an object is a file's digest, an address or software");
  }
}

}  // namespace ksn_client
