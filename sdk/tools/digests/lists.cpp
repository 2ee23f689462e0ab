#include "digests/lists.hpp"

#include <algorithm>
#include <optional>

#include "base/bytes.hpp"
#include "lists/lists.hpp"

namespace picket::digests {
namespace {

using lists::Field;
using lists::Row;

std::optional<Verdict> verdict_of(std::string_view word) {
  for (const auto verdict : {Verdict::trusted, Verdict::abusable, Verdict::untrusted})
    if (word == to_string(verdict)) return verdict;
  if (word == "malicious" || word == "malware" || word == "bad") return Verdict::untrusted;
  if (word == "good" || word == "clean" || word == "known-good") return Verdict::trusted;
  return std::nullopt;
}

class Taker final : public lists::Taker {
 public:
  Taker(Verdict verdict, Collection& into) : verdict_(verdict), into_(into) {}

  bool is_object(std::string_view word) const override { return lists::is_digest(word); }
  Result<> take(const Row& row) override {
    if (!row.digest.empty()) return add(row, row.digest);
    const auto& word = row.has_sha256_column ? row[Field::sha256] : row[Field::object];
    if (row.has_sha256_column && word.empty()) return {};  // many lists have rows without
    if (!lists::is_digest(word)) return wrong(row, row.has_sha256_column ? "no digest in the column of SHA-256" : "does not begin with a digest");
    if (word.size() == 64) return add(row, *from_hex(word));
    ++(word.size() == 32 ? report_.md5 : word.size() == 40 ? report_.sha1 : report_.other);
    return {};
  }
  Result<> wrong(const Row& row, std::string_view why) override {
    if (report_.unreadable++ == 0) report_.first_unreadable = cat(row.where(), ": ", why);
    return {};
  }
  ListReport report() && { return std::move(report_); }

 private:
  Result<> add(const Row& row, std::string_view bytes) {
    const auto own = row[Field::verdict].empty() ? verdict_ : verdict_of(lists::lower(row[Field::verdict]));
    if (!own) return wrong(row, "its verdict is none of trusted, abusable, untrusted");
    Sha256 digest{};
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(digest.data()));
    ++report_.sha256;
    return into_.add(digest, *own, row[Field::category].empty() ? row.list_name : row[Field::category], row[Field::name]);
  }

  std::optional<Verdict> verdict_;
  Collection& into_;
  ListReport report_;
};

}  // namespace

Result<ListReport> read_list(const std::filesystem::path& path, Verdict verdict, Collection& into) {
  Taker taker(verdict, into);
  PICKET_TRY(lists::read_file(path, lists::Format::automatic, taker));
  auto report = std::move(taker).report();
  if (report.sha256 == 0)
    return fail(Code::invalid, cat(path.native(), ": no SHA-256 in it", report.md5 + report.sha1 + report.other > 0 ? ", only other digests" : "",
                                   report.first_unreadable.empty() ? "" : "; ", report.first_unreadable));
  return report;
}

Result<ListReport> read_list_text(std::string_view text, Verdict verdict, Collection& into) {
  Taker taker(verdict, into);
  PICKET_TRY(lists::read(text, lists::Format::automatic, taker));
  return std::move(taker).report();
}

std::string to_text(const std::filesystem::path& path, const ListReport& report) {
  std::string unused;
  for (const auto& [count, name] : {std::pair(report.md5, " MD5"), std::pair(report.sha1, " SHA-1"), std::pair(report.other, " of other kinds")})
    if (count > 0) unused += cat(unused.empty() ? "; not used: " : ", ", std::to_string(count), name);
  return cat(path.filename().native(), ": ", std::to_string(report.sha256), " SHA-256", unused,
             report.unreadable == 0 ? std::string() : cat("; ", std::to_string(report.unreadable), " not understood, the first is ", report.first_unreadable));
}

}  // namespace picket::digests
