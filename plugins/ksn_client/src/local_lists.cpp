#include "local_lists.hpp"

#include "address_range.hpp"
#include "base/bytes.hpp"
#include "base/files.hpp"
#include "ksn/address.hpp"
#include "ksn/software.hpp"

namespace ksn_client {
namespace {

constexpr std::uint64_t kMostListFile = 64u << 20;
constexpr std::size_t kMostEntries = 2'000'000;
constexpr std::size_t kMostIgnoredNamed = 3;
constexpr std::string_view kSoftware = "software:";

// 10.0.0.0/8 would be the path /8 of one address: nobody means that. fd00::/8 could be nothing else.
bool is_range(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos || text.find_first_not_of("0123456789", slash + 1) != text.npos) return false;
  const auto address = text.substr(0, slash), width = text.substr(slash + 1);
  if (address.find(':') != address.rfind(':')) return address.find_first_not_of("0123456789abcdefABCDEF:.") == address.npos && !width.empty();
  return address.find_first_not_of("0123456789.") == address.npos && (width.size() == 1 || width.size() == 2);
}

// No expression of an address has a colon there.
Key key_of_range(const picket::AddressRange& range) { return key_of(v1::OBJECT_ADDRESS, sha256(cat("range:", range.text()))); }

// One key: what the line means, not what it would be asked by.
Result<Key> key_of_text(std::string_view text, std::set<unsigned, std::greater<>>& widths) {
  const auto bad = [shown = std::string(picket::whole_characters(text, 80))](std::string_view why) { return fail(Code::invalid, cat("'", shown, "': ", why)); };
  if (text.size() == 64)
    if (const auto digest = picket::from_hex(text)) return key_of(v1::OBJECT_FILE, *digest);
  if (text.starts_with(kSoftware)) {
    text.remove_prefix(kSoftware.size());
    const auto slash = text.find('/');
    if (text.empty() || slash == 0) return bad("software has a publisher");
    return key_of(v1::OBJECT_SOFTWARE, picket::ksn::software_digest(text.substr(0, slash), slash == std::string_view::npos ? "" : text.substr(slash + 1)));
  }
  if (is_range(text)) {
    PICKET_LET(range, picket::AddressRange::parse(text));
    widths.insert(range.prefix());
    return key_of_range(range);
  }
  if (text.starts_with("*.")) text.remove_prefix(2);  // a host means all that lies under it anyway
  auto canonical = picket::ksn::canonical_address(text);
  if (!canonical) return bad(canonical.error().message);
  const auto expressions = picket::ksn::address_expressions(*canonical);
  const bool is_host = text.find_first_of(".[") != text.npos || text.find("://") != text.npos;  // any word could be one
  if (expressions.empty() || !is_host) return bad("no SHA-256, no web address (a host without a dot: http://HOST/) and no software:PUBLISHER/PRODUCT");
  if (expressions.front().substr(0, expressions.front().find('/')).find('*') != std::string::npos) return bad("a * inside the name of a host, which nothing would match");
  return key_of(v1::OBJECT_ADDRESS, sha256(expressions.front()));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

// What older releases took, and never matched, must not keep a newer one from starting.
std::optional<Key> LocalLists::key_of_object(std::string_view text, std::string_view where) {
  const auto key = key_of_text(text, widths_);
  if (key) return *key;
  if (++ignored_count_ <= kMostIgnoredNamed) ignored_ += cat(ignored_.empty() ? "" : "; ", where, ": ", key.error().message);
  return std::nullopt;
}

Result<> LocalLists::add(const LocalEntry& entry, std::string_view where) {
  const auto key = key_of_object(entry.object, where);
  if (!key) return {};
  if (verdicts_.size() >= kMostEntries) return fail(Code::too_large, "more than 2000000 local verdicts");
  auto& facts = verdicts_[*key];
  facts.set_verdict(entry.verdict);
  facts.set_category(entry.category);
  facts.set_threat(entry.threat);
  return {};
}

Result<> LocalLists::add_file(const std::string& path) {
  PICKET_LET(text, picket::read_file(path, kMostListFile));
  std::size_t number = 0;
  std::string_view rest = text;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);  // as editors on Windows begin a file
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    auto line = trimmed(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto where = cat(path, " line ", std::to_string(number));
    // Nobody could read an answer that holds it, nor the others of its message.
    if (!picket::is_valid_utf8(line)) return fail(Code::invalid, cat(where, ": is not UTF-8"));
    const auto take = [&line] {
      const auto comma = line.find(',');
      const auto out = trimmed(line.substr(0, comma));
      line = comma == std::string_view::npos ? std::string_view() : line.substr(comma + 1);
      return std::string(out);
    };
    LocalEntry entry;
    const auto take_name = [&take] { return std::string(picket::whole_characters(take(), picket::ksn::kMostTextBytes)); };
    entry.object = take();
    auto verdict = verdict_of(take());
    if (!verdict) return fail(std::move(verdict).error(), where);
    entry.verdict = *verdict;
    entry.threat = take_name();
    entry.category = take_name();
    if (auto added = add(entry, where); !added) return fail(std::move(added).error(), where);
  }
  return {};
}

std::vector<picket::FileStamp> stamps_of(const std::vector<std::string>& files) {
  std::vector<picket::FileStamp> out;
  for (const auto& file : files) out.push_back(picket::stamp_of(file));
  return out;
}

Result<LocalLists> LocalLists::make(const Settings& settings) {
  LocalLists out;
  for (const auto& file : settings.local_files)
    if (auto added = out.add_file(file); !added) return fail(std::move(added).error(), "setting local_files");
  for (const auto& entry : settings.local)
    if (auto added = out.add(entry, "setting local"); !added) return fail(std::move(added).error(), "setting local");
  for (const auto& object : settings.exclusions)
    if (const auto key = out.key_of_object(object, "setting exclusions")) out.excluded_.insert(*key);
  if (out.ignored_count_ > kMostIgnoredNamed) out.ignored_ += cat("; and ", std::to_string(out.ignored_count_ - kMostIgnoredNamed), " more");
  return out;
}

std::optional<LocalLists::Said> LocalLists::find(std::span<const Key> keys) const {
  if (empty()) return std::nullopt;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const auto found = verdicts_.find(keys[i]); found != verdicts_.end()) return Said{false, found->second, i};
    if (excluded_.contains(keys[i])) return Said{true, {}, i};
  }
  return std::nullopt;
}

std::optional<LocalLists::Said> LocalLists::find(const Asked& asked) const {
  if (auto said = find({asked.keys.data(), asked.keys.size()}); said || widths_.empty() || asked.names.empty()) return said;
  auto host = std::string_view(asked.names.back());  // the last expression is the host and a slash
  host = host.substr(0, host.find('/'));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto address = picket::Address::parse(host);
  if (!address) return std::nullopt;
  for (const auto width : widths_) {
    const auto range = picket::AddressRange::around(*address, width);
    if (!range.contains(*address)) continue;
    const auto key = key_of_range(range);
    if (auto said = find({&key, 1})) {
      said->which = asked.keys.size() - 1;
      return said;
    }
  }
  return std::nullopt;
}

}  // namespace ksn_client
