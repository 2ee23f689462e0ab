#include "ksn/lists.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/address.hpp"
#include "ksn/limits.hpp"
#include "ksn/software.hpp"
#include "picket/ksn/v1/reputation.pb.h"
#include "trust/metadata.hpp"

namespace picket::ksn_tool {
namespace {

using ksn::v1::OBJECT_ADDRESS;
using ksn::v1::OBJECT_FILE;
using ksn::v1::OBJECT_SOFTWARE;
using ksn_store::Entry;
using lists::Field;
using lists::Row;

// At most as many bytes as an entry's text has, whole characters.
std::string cut(std::string_view text) {
  text = whole_characters(text, ksn::kMostTextBytes);
  return is_valid_utf8(text) ? std::string(lists::trimmed(text)) : std::string();
}

// "2026-11-22", "2026-11-22 10:00:00", RFC 3339, or Unix seconds.
std::optional<std::int64_t> time_of(std::string_view text) {
  if (!text.empty() && text.find_first_not_of("0123456789") == text.npos && text.size() < 12) {
    std::int64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
  }
  std::string whole(text);
  if (whole.size() == 10) whole += "T00:00:00Z";
  if (whole.size() == 19) whole += 'Z';
  if (whole.size() > 10 && whole[10] == ' ') whole[10] = 'T';
  const auto time = trust::parse_time(whole);
  return time ? std::optional<std::int64_t>(*time) : std::nullopt;
}

std::vector<std::string> countries_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" ;|"), text.size());
    if (end != 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return out;
}

bool looks_like_host(std::string_view host) {
  if (host.starts_with('[')) return true;
  if (host.find('.') == host.npos || host.size() > 253) return false;
  return std::all_of(host.begin(), host.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; });
}

class Taker final : public lists::Taker {
 public:
  Taker(const ListOptions& options, const Put& put) : options_(options), put_(put) {}

  bool is_object(std::string_view word) const override { return name_object(word, options_.kind).has_value(); }
  Result<> take(const Row& row) override {
    auto entry = options_.entry;
    const bool is_warninglist = !row.list_type.empty();
    if (is_warninglist) {
      if (row.list_type != "hostname" && row.list_type != "string" && row.list_type != "cidr")
        return fail(Code::unsupported, cat("a warninglist of type ", row.list_type, " cannot be looked up by digest"));
      // A name's verdict counts for all that lies under it: anybody's site, under these.
      if (row.list_name.find("TLDs") != row.list_name.npos) return fail(Code::unsupported, "a warninglist of top-level domains would decide for all sites under them");
      // What is known to be good, or at least no indicator of evil.
      if (entry.verdict == 0) entry.verdict = ksn::v1::VERDICT_TRUSTED;
      if (entry.category.empty()) entry.category = "warninglist";
      if (entry.product.empty()) entry.product = cut(row.list_name);
    }
    int kind = options_.kind;
    if (const auto why = read_fields(row, entry, kind); !why.empty()) return wrong(row, why);
    const auto named = name(row, kind);
    if (!named && kind != OBJECT_ADDRESS && lists::is_digest(lists::trimmed(row[Field::object]))) {
      ++result_.other_digests;
      return {};
    }
    if (!named) return wrong(row, named.error().message);
    if (entry.verdict == 0) return wrong(row, "no verdict");
    if (auto good = ksn_store::check_entry(entry); !good) return wrong(row, good.error().message);
    ++result_.rows;
    ++(named->kind == OBJECT_FILE ? result_.files : named->kind == OBJECT_ADDRESS ? result_.addresses : result_.software);
    return put_(named->kind, ksn_store::row_of(named->digest, entry));
  }
  Result<> wrong(const Row& row, std::string_view why) override {
    const auto shown = row.text.substr(0, 80);
    if (result_.not_understood++ == 0) result_.first = cat(row.where(), ": '", is_valid_utf8(shown) ? shown : "(not UTF-8)", "': ", is_valid_utf8(why) ? why : "not UTF-8");
    return {};
  }
  ListResult result() && { return std::move(result_); }

 private:
  // What is wrong with them; empty: nothing.
  static std::string_view read_fields(const Row& row, Entry& entry, int& kind) {
    const auto take_text = [&](Field field, std::string& into) {
      if (auto text = cut(row[field]); !text.empty()) into = std::move(text);
    };
    take_text(Field::category, entry.category);
    take_text(Field::publisher, entry.publisher);
    take_text(Field::product, entry.product);
    if (const auto& cell = row[Field::verdict]; !cell.empty() && (entry.verdict = verdict_of(cell)) == 0) return "a verdict is trusted, abusable or untrusted";
    // A number is a score, no name.
    if (entry.verdict != ksn::v1::VERDICT_TRUSTED && row[Field::name].find_first_not_of("0123456789;") != std::string::npos) take_text(Field::name, entry.threat);
    if (const auto& cell = row[Field::kind]; !cell.empty() && (kind = kind_of(cell)) == 0) return "a kind is file, address or software";
    if (const auto& cell = row[Field::popularity]; !cell.empty()) {
      const auto end = std::from_chars(cell.data(), cell.data() + cell.size(), entry.popularity);
      if (end.ec != std::errc() || end.ptr != cell.data() + cell.size()) return "popularity is no number";
    }
    if (const auto& cell = row[Field::first_seen]; !cell.empty()) {
      const auto time = time_of(cell);
      if (!time) return "first_seen is no time";
      entry.first_seen = *time;
    }
    if (const auto& cell = row[Field::trust_group]; !cell.empty() && (entry.trust_group = trust_group_of(cell)) < 0) return "a trust group is trusted, low-restricted, high-restricted or untrusted";
    if (const auto& cell = row[Field::signature]; !cell.empty() && (entry.signature = signature_of(cell)) < 0) return "the state of a signature is valid, none or invalid";
    if (const auto& cell = row[Field::countries]; !cell.empty()) entry.countries = countries_of(cell);
    return {};
  }
  static Result<Named> name(const Row& row, int kind) {
    if (!row.digest.empty()) return Named{OBJECT_FILE, std::string(row.digest)};
    std::string_view object = row[Field::object];
    const auto publisher = cut(row[Field::publisher]);
    if (kind == OBJECT_SOFTWARE ? !publisher.empty() : object.empty() && !publisher.empty()) return Named{OBJECT_SOFTWARE, ksn::software_digest(publisher, cut(row[Field::product]))};
    if (row.list_type == "cidr") {
      if (object.ends_with("/32") || object.ends_with("/128")) object = object.substr(0, object.rfind('/'));
      else if (object.find('/') != object.npos) return fail(Code::unsupported, "a range of addresses has no digest");
    }
    return name_object(object, kind);
  }

  const ListOptions& options_;
  const Put& put_;
  ListResult result_;
};

}  // namespace

int verdict_of(std::string_view name) {
  const auto plain = lists::lower(name);
  return plain == "trusted" ? ksn::v1::VERDICT_TRUSTED : plain == "abusable" ? ksn::v1::VERDICT_ABUSABLE : plain == "untrusted" ? ksn::v1::VERDICT_UNTRUSTED : 0;
}
std::string_view verdict_name(int verdict) {
  constexpr std::array<std::string_view, 4> names{"unknown", "trusted", "abusable", "untrusted"};
  return verdict >= 0 && verdict < 4 ? names[static_cast<std::size_t>(verdict)] : "?";
}

namespace {

// 0 is "not known", which a list says by leaving it out.
constexpr std::array<std::string_view, 5> kTrustGroups{"not known", "trusted", "low-restricted", "high-restricted", "untrusted"};
constexpr std::array<std::string_view, 4> kSignatures{"not known", "valid", "none", "invalid"};

int number_of(std::span<const std::string_view> names, std::string_view name) {
  const auto plain = lists::lower(name);
  for (std::size_t i = 1; i < names.size(); ++i)
    if (names[i] == plain) return static_cast<int>(i);
  return -1;
}
std::string_view name_of(std::span<const std::string_view> names, int number) { return number >= 0 && static_cast<std::size_t>(number) < names.size() ? names[static_cast<std::size_t>(number)] : "?"; }

}  // namespace

int trust_group_of(std::string_view name) { return number_of(kTrustGroups, name); }
std::string_view trust_group_name(int group) { return name_of(kTrustGroups, group); }
int signature_of(std::string_view name) { return number_of(kSignatures, name); }
std::string_view signature_name(int signature) { return name_of(kSignatures, signature); }
int kind_of(std::string_view name) {
  const auto plain = lists::lower(name);
  return plain == "file" ? OBJECT_FILE : plain == "address" ? OBJECT_ADDRESS : plain == "software" ? OBJECT_SOFTWARE : 0;
}

Result<Named> name_object(std::string_view word, int kind) {
  word = lists::trimmed(word);
  if (word.empty()) return fail(Code::invalid, "names no object");
  if (lists::is_digest(word) && (kind == 0 || kind == OBJECT_FILE)) {
    if (word.size() == 64) return Named{OBJECT_FILE, *from_hex(word)};
    return fail(Code::unsupported, "a digest that is not SHA-256");
  }
  if (kind == OBJECT_FILE) return fail(Code::invalid, "no SHA-256 digest");
  if (kind == OBJECT_SOFTWARE) return fail(Code::unsupported, "software is named by publisher and product: CSV");
  if (word.front() == '/') return fail(Code::unsupported, "a path without a host");
  while (word.starts_with('.')) word.remove_prefix(1);
  if (word.starts_with("*.")) word.remove_prefix(2);
  // An IPv6 address as lists write it, without the brackets of a web address.
  const bool bare = std::count(word.begin(), word.end(), ':') > 1 && word.find_first_not_of("0123456789abcdefABCDEF:.") == word.npos;
  auto canonical = ksn::canonical_address(bare ? cat("[", word, "]") : std::string(word));
  if (!canonical) return fail(std::move(canonical).error());
  const auto expressions = ksn::address_expressions(*canonical);
  if (expressions.empty() || !looks_like_host(std::string_view(expressions[0]).substr(0, expressions[0].find('/')))) return fail(Code::invalid, "neither a digest nor a web address");
  return Named{OBJECT_ADDRESS, *from_hex(sha256_hex(expressions[0]))};
}

Result<ListResult> read_list(std::string_view text, const ListOptions& options, const Put& put) {
  Taker taker(options, put);
  PICKET_TRY(lists::read(text, options.format, taker));
  return std::move(taker).result();
}

Result<ListResult> read_list_file(const std::string& path, const ListOptions& options, const Put& put) {
  Taker taker(options, put);
  PICKET_TRY(lists::read_file(path, options.format, taker));
  return std::move(taker).result();
}

}  // namespace picket::ksn_tool
