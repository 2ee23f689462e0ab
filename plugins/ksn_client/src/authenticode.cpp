#include "authenticode.hpp"

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <cstdint>
#include <ctime>

#include "base/free_with.hpp"
#include "signed_data.hpp"
#include "timestamp.hpp"

namespace ksn_client {
namespace {

using picket::cat;
using picket::Code;
using picket::fail;

using DigestContext = picket::Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

constexpr char kIndirectData[] = "1.3.6.1.4.1.311.2.1.4";  // SPC_INDIRECT_DATA_OBJID
constexpr char kOpusInfo[] = "1.3.6.1.4.1.311.2.1.12";     // SPC_SP_OPUS_INFO_OBJID
constexpr char kNested[] = "1.3.6.1.4.1.311.2.4.1";        // szOID_NESTED_SIGNATURE: of a newer kind, beside one for old systems

std::uint32_t little(std::string_view image, std::size_t at, unsigned bytes) {
  std::uint32_t out = 0;
  for (unsigned i = 0; i < bytes; ++i) out |= std::uint32_t{static_cast<unsigned char>(image[at + i])} << (8 * i);
  return out;
}

// Where the parts are that the image's digest leaves out.
struct Layout {
  std::size_t checksum = 0, entry = 0;       // in the header: 4 and 8 bytes
  std::size_t table = 0, table_size = 0;     // the certificates, at the end of the file
};
picket::Result<Layout> layout_of(std::string_view image) {
  if (!is_pe(image)) return fail(Code::invalid, "no PE image");
  const std::size_t optional = std::size_t{little(image, 0x3c, 4)} + 24;
  if (optional + 112 + 40 > image.size()) return fail(Code::invalid, "the PE header is cut off");
  const auto magic = little(image, optional, 2);
  if (magic != 0x10b && magic != 0x20b) return fail(Code::invalid, "the PE header is of no known kind");
  const std::size_t directories = optional + (magic == 0x10b ? 96 : 112);
  if (directories + 5 * 8 > image.size()) return fail(Code::invalid, "the PE header is cut off");
  Layout out;
  out.checksum = optional + 64;
  out.entry = directories + 4 * 8;
  if (little(image, directories - 4, 4) <= 4) return out;  // so few directories: no certificates
  out.table = little(image, out.entry, 4);
  out.table_size = little(image, out.entry + 4, 4);
  if (out.table_size == 0) return out;
  if (out.table < out.entry + 8 || out.table > image.size() || out.table_size > image.size() - out.table || out.table_size < 8)
    return fail(Code::invalid, "the certificates lie outside of the file");
  return out;
}

bool digest_image(std::string_view image, const Layout& layout, const EVP_MD* algorithm, std::string& out) {
  const DigestContext context(::EVP_MD_CTX_new());
  if (!context || ::EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) return false;
  const auto feed = [&](std::size_t from, std::size_t to) { return ::EVP_DigestUpdate(context.get(), image.data() + from, to - from) == 1; };
  // What lies behind the certificates is part of the digest too: nothing may be added unseen.
  if (!feed(0, layout.checksum) || !feed(layout.checksum + 4, layout.entry) || !feed(layout.entry + 8, layout.table) || !feed(layout.table + layout.table_size, image.size())) return false;
  unsigned size = 0;
  out.resize(EVP_MAX_MD_SIZE);
  if (::EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size) != 1) return false;
  out.resize(size);
  return true;
}

// One DER element. False: none there, or it goes beyond the end.
struct Element {
  int tag = 0;
  std::string_view content;
};
bool take_element(std::string_view& rest, Element& out) {
  const auto* at = reinterpret_cast<const unsigned char*>(rest.data());
  long length = 0;
  int tag = 0, kind = 0;
  if (rest.empty()) return false;
  const int flags = ::ASN1_get_object(&at, &length, &tag, &kind, static_cast<long>(rest.size()));
  if ((flags & 0x80) != 0 || (flags & 1) != 0 || length < 0) return false;
  const auto head = static_cast<std::size_t>(at - reinterpret_cast<const unsigned char*>(rest.data()));
  if (static_cast<std::size_t>(length) > rest.size() - head) return false;
  out = {tag, rest.substr(head, static_cast<std::size_t>(length))};
  rest.remove_prefix(head + static_cast<std::size_t>(length));
  return true;
}

// SpcIndirectDataContent ::= SEQUENCE { data, messageDigest SEQUENCE { digestAlgorithm SEQUENCE { oid, NULL }, digest OCTET STRING } }
struct Said {
  const EVP_MD* algorithm = nullptr;
  std::string_view digest, signed_part;
};
bool read_indirect(std::string_view der, Said& out) {
  Element whole, data, message, algorithm, oid, digest;
  if (!take_element(der, whole) || whole.tag != V_ASN1_SEQUENCE) return false;
  out.signed_part = whole.content;  // what the signature covers: the content without the outer head
  std::string_view rest = whole.content;
  if (!take_element(rest, data) || !take_element(rest, message)) return false;
  rest = message.content;
  if (!take_element(rest, algorithm) || !take_element(rest, digest) || digest.tag != V_ASN1_OCTET_STRING) return false;
  rest = algorithm.content;
  if (!take_element(rest, oid) || oid.tag != V_ASN1_OBJECT || oid.content.empty() || oid.content.size() > 64) return false;
  const std::string object = cat("\x06", std::string(1, static_cast<char>(oid.content.size())), oid.content);
  const auto* at = reinterpret_cast<const unsigned char*>(object.data());
  ASN1_OBJECT* parsed = ::d2i_ASN1_OBJECT(nullptr, &at, static_cast<long>(object.size()));
  if (parsed == nullptr) return false;
  const int nid = ::OBJ_obj2nid(parsed);
  ::ASN1_OBJECT_free(parsed);
  out.algorithm = strong_digest(nid);
  out.digest = digest.content;
  return true;
}

// SpcSpOpusInfo ::= SEQUENCE { programName [0] EXPLICIT CHOICE { unicode [0] IMPLICIT BMPString, ascii [1] IMPLICIT IA5String } OPTIONAL, ... }
std::string program_name(std::string_view opus_info) {
  Element whole, name, text;
  if (!take_element(opus_info, whole) || !take_element(whole.content, name) || name.tag != 0 || !take_element(name.content, text) || text.tag > 1) return {};
  ASN1_STRING* string = ::ASN1_STRING_type_new(text.tag == 0 ? V_ASN1_BMPSTRING : V_ASN1_IA5STRING);
  unsigned char* utf8 = nullptr;
  const bool set = string != nullptr && ::ASN1_STRING_set(string, text.content.data(), static_cast<int>(text.content.size())) == 1;
  const int size = set ? ::ASN1_STRING_to_UTF8(&utf8, string) : -1;
  std::string out = size > 0 ? std::string(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)) : std::string();
  OPENSSL_free(utf8);
  ::ASN1_STRING_free(string);
  return out;
}

picket::Result<PeSignature> read_signature(std::string_view der, std::string_view image, const Layout& layout, const std::string& authorities) {
  const auto message = SignedData::parse(der);
  if (!message) return fail(Code::invalid, "the signature is no PKCS #7 SignedData of one signer");
  if (message->content_type() != kIndirectData) return fail(Code::invalid, "it does not sign an image");
  Said said;
  if (!read_indirect(message->content(V_ASN1_SEQUENCE), said)) return fail(Code::invalid, "what is signed cannot be read");
  PeSignature out;
  out.publisher = message->publisher();
  if (said.algorithm == nullptr) {
    if (const auto nested = message->unsigned_attribute(kNested); !nested.empty() && nested.size() < der.size()) return read_signature(nested, image, layout, authorities);
    out.note = "the image's digest is of a kind that counts no more";
    return out;
  }
  std::string digest;
  if (!digest_image(image, layout, said.algorithm, digest) || digest != said.digest) {
    out.note = "the image was changed after it was signed";
    return out;
  }
  if (!message->covers(said.signed_part, out.note)) return out;
  out.image_matches = true;
  out.product = program_name(message->signed_attribute(kOpusInfo));
  // A program outlives the certificate it was signed with. When it was signed only a time stamp says; without one the certificate counts as of today.
  const std::int64_t now = std::time(nullptr);
  std::string why, no_stamp;
  const auto stamped = stamped_at(*message, authorities, now, no_stamp);
  out.trusted = message->leads_to(authorities, SignedData::Use::code, stamped.value_or(now), why);
  if (!out.trusted) out.note = cat("its signer is not vouched for: ", why, no_stamp.empty() ? "" : cat("; ", no_stamp));
  return out;
}

}  // namespace

bool is_pe(std::string_view image) {
  if (image.size() < 0x40 || !image.starts_with("MZ")) return false;
  const std::size_t header = little(image, 0x3c, 4);
  return header < image.size() && image.size() - header >= 24 && image.substr(header, 4) == std::string_view("PE\0\0", 4);
}

picket::Result<std::optional<PeSignature>> pe_signature(std::string_view image, const std::string& authorities) {
  PICKET_LET(layout, layout_of(image));
  if (layout.table_size == 0) return std::optional<PeSignature>();
  const std::uint32_t length = little(image, layout.table, 4);
  if (length < 9 || length > layout.table_size) return fail(Code::invalid, "the certificate's length is wrong");
  if (little(image, layout.table + 6, 2) != 2) return fail(Code::unsupported, "the certificate is no PKCS #7");
  PICKET_LET(out, read_signature(image.substr(layout.table + 8, length - 8), image, layout, authorities));
  return std::optional(std::move(out));
}

}  // namespace ksn_client
