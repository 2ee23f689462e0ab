#include "digests/line_lists.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "digests/csv.hpp"

namespace picket::digests {

namespace {

bool is_hex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

std::optional<Verdict> verdict_of(std::string_view word) {
  for (const auto verdict : {Verdict::trusted, Verdict::abusable, Verdict::untrusted})
    if (word == to_string(verdict)) return verdict;
  if (word == "malicious" || word == "malware" || word == "bad") return Verdict::untrusted;
  if (word == "good" || word == "clean" || word == "known-good") return Verdict::trusted;
  return std::nullopt;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

bool is_digest(std::string_view text) {
  return (text.size() == 32 || text.size() == 40 || text.size() == 56 || text.size() == 64 || text.size() == 96 || text.size() == 128) && is_hex(text);
}

std::optional<Sha256> take_digest(std::string_view text, ListReport& report) {
  if (!is_digest(text)) return std::nullopt;
  if (text.size() != 64) {
    ++(text.size() == 32 ? report.md5 : text.size() == 40 ? report.sha1 : report.other);
    return std::nullopt;
  }
  const auto bytes = from_hex(text);
  Sha256 out{};
  std::copy(bytes->begin(), bytes->end(), reinterpret_cast<char*>(out.data()));
  ++report.sha256;
  return out;
}

std::optional<CsvColumns> LineReader::header_of(const std::vector<std::string>& fields) {
  std::optional<CsvColumns> out;
  const auto place = [&](std::initializer_list<std::string_view> names) -> std::optional<std::size_t> {
    for (const auto name : names)
      for (std::size_t i = 0; i < fields.size(); ++i)
        if (lower(fields[i]) == name) return i;
    return std::nullopt;
  };
  if (const auto sha256 = place({"sha256", "sha256_hash", "sha-256", "sha256hash", "hash_sha256"})) {
    out.emplace();
    out->sha256 = *sha256;
    out->name = place({"name", "threat", "signature", "malware", "family", "threat_name", "comment", "description"});
    out->category = place({"category", "type", "threat_type", "class"});
    out->verdict = place({"verdict", "reputation"});
  }
  return out;
}

void LineReader::not_understood(std::uint64_t number, std::string_view why) {
  if (report_.unreadable++ == 0) report_.first_unreadable = cat("line ", std::to_string(number), ": ", why);
}

Result<> LineReader::csv_row(const std::vector<std::string>& fields, std::uint64_t number) {
  const auto at = [&](std::optional<std::size_t> column) { return column && *column < fields.size() ? fields[*column] : std::string(); };
  const auto text = at(columns_->sha256);
  if (text.empty()) return {};  // many lists have rows without
  const auto digest = take_digest(text, report_);
  if (!digest) {
    if (!is_digest(text)) not_understood(number, "no digest in the column of SHA-256");
    return {};
  }
  auto verdict = verdict_;
  if (const auto word = lower(at(columns_->verdict)); !word.empty()) {
    const auto own = verdict_of(word);
    if (!own) {
      --report_.sha256;
      not_understood(number, "its verdict is none of trusted, abusable, untrusted");
      return {};
    }
    verdict = *own;
  }
  const auto category = at(columns_->category);
  return into_.add(*digest, verdict, category.empty() ? category_ : category, at(columns_->name));
}

Result<> LineReader::line(std::string_view text, std::uint64_t number) {
  if (number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  text = trimmed(text);
  if (text.empty()) return {};
  const bool is_comment = text.front() == '#' || text.starts_with("//");
  // abuse.ch writes the names of the columns into a comment.
  if (!columns_) {
    auto names = text;
    while (is_comment && !names.empty() && (names.front() == '#' || names.front() == '/' || names.front() == ' ')) names.remove_prefix(1);
    if (names.find(',') != names.npos || lower(std::string(names)) == "sha256")
      if ((columns_ = header_of(csv_fields(names, ',')))) return {};
  }
  if (is_comment) return {};
  if (columns_) return csv_row(csv_fields(text, ','), number);
  // Without a header: the digest is first, the rest is its name. sha256sum writes a file's name after blanks, and a '*' before it.
  std::size_t end = text.find_first_of(";,\t ");
  std::string_view first = text.substr(0, end), rest = end == text.npos ? std::string_view() : trimmed(text.substr(end + 1));
  while (!rest.empty() && (rest.front() == '*' || rest.front() == ';' || rest.front() == ',')) rest = trimmed(rest.substr(1));
  std::string name(rest);
  if (first.size() >= 2 && first.front() == '"' && end != text.npos && text[end] == ',') {
    const auto fields = csv_fields(text, ',');
    first = trimmed(std::string_view(first).substr(1, first.size() - 2));
    name = fields.size() > 1 ? fields[1] : std::string();
  }
  const auto digest = take_digest(first, report_);
  if (!digest) {
    if (!is_digest(first)) not_understood(number, "does not begin with a digest");
    return {};
  }
  return into_.add(*digest, verdict_, category_, name);
}

}  // namespace picket::digests
