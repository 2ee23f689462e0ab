#include "ksn/lists.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/address.hpp"
#include "ksn/limits.hpp"
#include "ksn/software.hpp"
#include "picket/ksn/v1/reputation.pb.h"
#include "trust/metadata.hpp"

namespace picket::ksn_tool {
namespace {

namespace json = boost::json;
using ksn::v1::OBJECT_ADDRESS;
using ksn::v1::OBJECT_FILE;
using ksn::v1::OBJECT_SOFTWARE;
using ksn_store::Entry;

constexpr std::string_view kBlank = " \t\r\n\v\f";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}
bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdefABCDEF") == text.npos; }

// At most `most` bytes, whole characters.
std::string cut(std::string_view text, std::size_t most = ksn::kMostTextBytes) {
  if (text.size() > most) {
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    text = text.substr(0, most);
  }
  return is_valid_utf8(text) ? std::string(trim(text)) : std::string();
}

class Reader {
 public:
  Reader(const ListOptions& options, const Put& put) : options_(options), put_(put) {}

  Result<> take(const Result<Named>& named, const Entry& entry) {
    if (!named) return wrong(named.error().message);
    if (entry.verdict == 0) return wrong("no verdict");
    if (auto good = ksn_store::check_entry(entry); !good) return wrong(good.error().message);
    ++result_.rows;
    ++(named->kind == OBJECT_FILE ? result_.files : named->kind == OBJECT_ADDRESS ? result_.addresses : result_.software);
    return put_(named->kind, ksn_store::row_of(named->digest, entry));
  }
  Result<> wrong(std::string_view why) {
    if (result_.not_understood++ == 0) result_.first = cat(where_, ": '", is_valid_utf8(line_.substr(0, 80)) ? line_.substr(0, 80) : std::string_view("(not UTF-8)"), "': ", is_valid_utf8(why) ? why : "not UTF-8");
    return {};
  }
  void at(std::string where, std::string_view line) { where_ = std::move(where), line_ = line; }
  const ListOptions& options() const { return options_; }
  ListResult result() && { return std::move(result_); }

 private:
  const ListOptions& options_;
  const Put& put_;
  ListResult result_;
  std::string where_;
  std::string_view line_;
};

// The line off the front of `rest`.
std::string_view next_line(std::string_view& rest) {
  const auto end = std::min(rest.find('\n'), rest.size());
  const auto out = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), end + 1));
  return out.ends_with('\r') ? out.substr(0, out.size() - 1) : out;
}

// One object a line; "# ..." is a comment, "object;comment" (signature-base) and "object # comment" (maltrail) say more of it.
Result<> read_plain(std::string_view text, Reader& reader) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto line = trim(next_line(text));
    if (line.empty() || line.front() == '#' || line.starts_with("//")) continue;
    reader.at(cat("line ", std::to_string(number)), line);
    std::string_view comment;
    if (const auto hash = line.find(" #"); hash != line.npos) comment = trim(line.substr(hash + 2)), line = trim(line.substr(0, hash));
    if (const auto semicolon = line.find(';'); semicolon != line.npos) comment = trim(line.substr(semicolon + 1)), line = trim(line.substr(0, semicolon));
    auto entry = reader.options().entry;
    // A number behind the semicolon is a score, no name.
    if (!comment.empty() && comment.find_first_not_of("0123456789;") != comment.npos && entry.verdict != ksn::v1::VERDICT_TRUSTED)
      if (auto name = cut(comment); !name.empty()) entry.threat = std::move(name);
    PICKET_TRY(reader.take(name_object(line, reader.options().kind), entry));
  }
  return {};
}

// RFC 4180: one record off the front of `rest`, also over several lines.
std::vector<std::string> next_record(std::string_view& rest, std::size_t& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"')
        out.back() += c;
      else if (rest.starts_with('"'))
        out.back() += '"', rest.remove_prefix(1);
      else
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      if (out.size() == 1024) break;
      out.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      out.back() += c;
    }
  }
  for (auto& cell : out) cell = std::string(trim(cell));
  return out;
}

enum class Column { ignored, object, publisher, product, verdict, category, threat, popularity, first_seen, countries, kind };

Column column_of(std::string_view header) {
  struct Name {
    std::string_view name;
    Column column;
  };
  constexpr std::array<Name, 32> names{{{"sha256", Column::object}, {"sha256_hash", Column::object}, {"sha-256", Column::object}, {"digest", Column::object}, {"hash", Column::object}, {"url", Column::object},
                                        {"domain", Column::object}, {"host", Column::object}, {"hostname", Column::object}, {"address", Column::object}, {"ip", Column::object}, {"dst_ip", Column::object},
                                        {"object", Column::object}, {"publisher", Column::publisher}, {"vendor", Column::publisher}, {"product", Column::product}, {"verdict", Column::verdict}, {"category", Column::category},
                                        {"threat", Column::threat}, {"threat_name", Column::threat}, {"signature", Column::threat}, {"malware", Column::threat}, {"popularity", Column::popularity},
                                        {"users", Column::popularity}, {"first_seen", Column::first_seen}, {"first_seen_utc", Column::first_seen}, {"dateadded", Column::first_seen}, {"countries", Column::countries},
                                        {"country", Column::countries}, {"kind", Column::kind}, {"type_of_object", Column::kind}, {"comment", Column::threat}}};
  const auto wanted = lower(header);
  for (const auto& one : names)
    if (one.name == wanted) return one.column;
  return Column::ignored;
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

// What is wrong with the cell; empty: nothing.
std::string_view read_cell(Column column, const std::string& cell, Entry& entry, int& kind, std::string& object, std::string& publisher, std::string& product) {
  if (cell.empty()) return {};
  switch (column) {
    case Column::ignored: break;
    case Column::object: if (object.empty()) object = cell; break;
    case Column::publisher: publisher = entry.publisher = cut(cell); break;
    case Column::product: product = entry.product = cut(cell); break;
    case Column::category: entry.category = cut(cell); break;
    case Column::threat: entry.threat = cut(cell); break;
    case Column::verdict:
      entry.verdict = verdict_of(cell);
      if (entry.verdict == 0) return "a verdict is trusted, abusable or untrusted";
      break;
    case Column::kind:
      kind = kind_of(cell);
      if (kind == 0) return "a kind is file, address or software";
      break;
    case Column::popularity: {
      const auto end = std::from_chars(cell.data(), cell.data() + cell.size(), entry.popularity);
      if (end.ec != std::errc() || end.ptr != cell.data() + cell.size()) return "popularity is no number";
      break;
    }
    case Column::first_seen: {
      const auto time = time_of(cell);
      if (!time) return "first_seen is no time";
      entry.first_seen = *time;
      break;
    }
    case Column::countries:
      entry.countries.clear();
      for (std::string_view rest = cell; !rest.empty();) {
        const auto end = std::min(rest.find_first_of(" ;|"), rest.size());
        if (end != 0) entry.countries.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(rest.size(), end + 1));
      }
      break;
  }
  return {};
}

Result<> read_csv(std::string_view text, Reader& reader) {
  std::vector<Column> columns;
  std::size_t line = 1;
  while (!text.empty()) {
    const auto number = line;
    auto begin = text;
    auto cells = next_record(text, line);
    const auto whole = trim(begin.substr(0, begin.size() - text.size()));
    if (whole.empty()) continue;
    if (columns.empty()) {
      const bool comment = whole.front() == '#';
      if (comment && !cells[0].empty()) cells[0] = std::string(trim(std::string_view(cells[0]).substr(1)));
      std::vector<Column> named;
      for (auto& cell : cells) {
        if (comment && cell.size() > 1 && cell.front() == '"') cell = cell.substr(1, cell.size() - 2);
        named.push_back(column_of(cell));
      }
      const auto has = [&](Column column) { return std::find(named.begin(), named.end(), column) != named.end(); };
      if (has(Column::object) || has(Column::publisher)) {
        columns = std::move(named);
        continue;
      }
      if (comment) continue;
      // No header: the first column that names an object.
      for (const auto& cell : cells) columns.push_back(name_object(cell, reader.options().kind) && std::find(columns.begin(), columns.end(), Column::object) == columns.end() ? Column::object : Column::ignored);
      if (std::find(columns.begin(), columns.end(), Column::object) == columns.end())
        return fail(Code::invalid, cat("line ", std::to_string(number), ": neither a header (sha256, url, domain, publisher...) nor a column with digests or web addresses"));
    }
    if (whole.front() == '#') continue;
    reader.at(cat("line ", std::to_string(number)), whole);
    auto entry = reader.options().entry;
    int kind = reader.options().kind;
    std::string object, publisher, product;
    std::string_view why;
    for (std::size_t i = 0; i < cells.size() && i < columns.size() && why.empty(); ++i) why = read_cell(columns[i], cells[i], entry, kind, object, publisher, product);
    if (!why.empty())
      PICKET_TRY(reader.wrong(why));
    else if (object.empty() && publisher.empty())
      PICKET_TRY(reader.wrong("names no object"));
    else if (object.empty() || kind == OBJECT_SOFTWARE)
      PICKET_TRY(reader.take(publisher.empty() ? Result<Named>(fail(Code::invalid, "software needs a publisher")) : Named{OBJECT_SOFTWARE, ksn::software_digest(publisher, product)}, entry));
    else
      PICKET_TRY(reader.take(name_object(object, kind), entry));
  }
  return {};
}

// {"name":..., "type":"hostname|string|cidr|substring|regex", "list":[...]}: what is known to be good, or at least no indicator of evil.
Result<> read_misp(std::string_view text, Reader& reader) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error) return fail(Code::invalid, cat("no JSON: ", error.message()));
  const auto* object = value.if_object();
  const auto* list = object && object->if_contains("list") ? object->at("list").if_array() : nullptr;
  if (!list) return fail(Code::invalid, "no warninglist: it has no \"list\"");
  const auto* type = object->if_contains("type") ? object->at("type").if_string() : nullptr;
  if (!type) return fail(Code::invalid, "no warninglist: it has no \"type\"");
  if (*type != "hostname" && *type != "string" && *type != "cidr") return fail(Code::unsupported, cat("a warninglist of type ", std::string_view(*type), " cannot be looked up by digest"));
  auto entry = reader.options().entry;
  if (entry.verdict == 0) entry.verdict = ksn::v1::VERDICT_TRUSTED;
  if (entry.category.empty()) entry.category = "warninglist";
  if (const auto* name = object->if_contains("name"); name && name->is_string() && entry.product.empty()) entry.product = cut(name->get_string());
  std::size_t number = 0;
  for (const auto& item : *list) {
    ++number;
    const auto* word = item.if_string();
    std::string_view rest = word ? std::string_view(*word) : std::string_view();
    reader.at(cat("entry ", std::to_string(number)), rest);
    if (!word) {
      PICKET_TRY(reader.wrong("is no string"));
      continue;
    }
    if (*type == "cidr") {
      if (rest.ends_with("/32") || rest.ends_with("/128"))
        rest = rest.substr(0, rest.rfind('/'));
      else if (rest.find('/') != rest.npos) {
        PICKET_TRY(reader.wrong("a range of addresses has no digest"));
        continue;
      }
    }
    PICKET_TRY(reader.take(name_object(rest, reader.options().kind), entry));
  }
  return {};
}

Format guess(std::string_view text) {
  auto rest = text;
  while (!rest.empty()) {
    const auto line = trim(next_line(rest));
    if (line.empty() || line.front() == '#') {
      if (line.find(',') != line.npos && column_of(trim(line.substr(1, line.find(',') - 1))) != Column::ignored) return Format::csv;
      continue;
    }
    if (line.front() == '{') return Format::misp;
    if (line.find(';') != line.npos) return Format::plain;
    if (line.find(',') != line.npos) return Format::csv;
    return column_of(line) != Column::ignored ? Format::csv : Format::plain;
  }
  return Format::plain;
}

bool looks_like_host(std::string_view host) {
  if (host.starts_with('[')) return true;
  if (host.find('.') == host.npos || host.size() > 253) return false;
  return std::all_of(host.begin(), host.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; });
}

}  // namespace

int verdict_of(std::string_view name) {
  const auto plain = lower(name);
  return plain == "trusted" ? ksn::v1::VERDICT_TRUSTED : plain == "abusable" ? ksn::v1::VERDICT_ABUSABLE : plain == "untrusted" ? ksn::v1::VERDICT_UNTRUSTED : 0;
}
std::string_view verdict_name(int verdict) {
  constexpr std::array<std::string_view, 4> names{"unknown", "trusted", "abusable", "untrusted"};
  return verdict >= 0 && verdict < 4 ? names[static_cast<std::size_t>(verdict)] : "?";
}
int kind_of(std::string_view name) {
  const auto plain = lower(name);
  return plain == "file" ? OBJECT_FILE : plain == "address" ? OBJECT_ADDRESS : plain == "software" ? OBJECT_SOFTWARE : 0;
}

Result<Named> name_object(std::string_view word, int kind) {
  word = trim(word);
  if (word.empty()) return fail(Code::invalid, "names no object");
  if (is_hex(word) && (kind == 0 || kind == OBJECT_FILE)) {
    if (word.size() == 64) return Named{OBJECT_FILE, *from_hex(word)};
    if (word.size() == 32 || word.size() == 40 || word.size() == 128) return fail(Code::unsupported, "a digest that is not SHA-256");
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
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reader reader(options, put);
  const auto format = options.format == Format::automatic ? guess(text) : options.format;
  switch (format) {
    case Format::csv: PICKET_TRY(read_csv(text, reader)); break;
    case Format::misp: PICKET_TRY(read_misp(text, reader)); break;
    default: PICKET_TRY(read_plain(text, reader)); break;
  }
  return std::move(reader).result();
}

}  // namespace picket::ksn_tool
