// import, remove, licence, show, stats.
#include <algorithm>
#include <cstdio>
#include <cinttypes>
#include <ctime>
#include <filesystem>
#include <map>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "ksn/address.hpp"
#include "ksn/arguments.hpp"
#include "ksn/limits.hpp"
#include "ksn/lists.hpp"
#include "ksn/software.hpp"
#include "picket/ksn/v1/reputation.pb.h"
#include "trust/metadata.hpp"

namespace picket::ksn_tool {
namespace {

constexpr std::size_t kRowsAtOnce = 500'000;

Result<std::unique_ptr<ksn_store::Store>> open(const Arguments& arguments) {
  PICKET_LET(where, store_of(arguments));
  return ksn_store::open_store(where);
}

Result<ListOptions> options_of(const Arguments& arguments) {
  ListOptions out;
  if (const auto format = arguments.get("format"); format == "csv")
    out.format = lists::Format::csv;
  else if (format == "plain")
    out.format = lists::Format::plain;
  else if (format == "misp")
    out.format = lists::Format::misp;
  else if (!format.empty())
    return fail(Code::invalid, cat("--format: '", format, "' is none of csv, plain, misp"));
  if (const auto kind = arguments.get("kind"); !kind.empty() && (out.kind = kind_of(kind)) == 0) return fail(Code::invalid, cat("--kind: '", kind, "' is none of file, address, software"));
  if (const auto verdict = arguments.get("verdict"); !verdict.empty() && (out.entry.verdict = verdict_of(verdict)) == 0) return fail(Code::invalid, cat("--verdict: '", verdict, "' is none of trusted, abusable, untrusted"));
  out.entry.category = arguments.get("category");
  out.entry.threat = arguments.get("threat");
  out.entry.publisher = arguments.get("publisher");
  out.entry.product = arguments.get("product");
  auto trial = out.entry;
  if (trial.verdict == 0) trial.verdict = ksn::v1::VERDICT_TRUSTED;
  PICKET_TRY(ksn_store::check_entry(trial));
  return out;
}

Result<ListResult> import_one(const std::string& file, ListOptions options, ksn_store::Store& store) {
  if (auto& threat = options.entry.threat; threat.empty() && options.entry.verdict != ksn::v1::VERDICT_TRUSTED && options.entry.verdict != 0) {
    threat = std::filesystem::path(file).stem().native().substr(0, 64);  // better than no name at all
    while (!is_valid_utf8(threat)) threat.pop_back();                     // whole characters
  }
  std::map<int, std::vector<ksn_store::Row>> rows;
  const auto flush = [&](int kind) -> Result<> {
    PICKET_TRY(store.put(kind, rows[kind]));
    rows[kind].clear();
    return {};
  };
  PICKET_LET(result, read_list_file(file, options, [&](int kind, ksn_store::Row row) -> Result<> {
    rows[kind].push_back(std::move(row));
    return rows[kind].size() < kRowsAtOnce ? Result<>() : flush(kind);
  }));
  for (const auto& [kind, left] : rows)
    if (!left.empty()) PICKET_TRY(flush(kind));
  return result;
}

std::string many(std::uint64_t count, const char* one, const char* more) { return cat(std::to_string(count), " ", count == 1 ? one : more); }

// A list is anybody's: what it says may command a terminal.
std::string plain(std::string_view text) { return plain_line(text, 4096); }

void print_facts(std::string_view name, const char* kind, std::string_view bytes) {
  ksn::v1::Facts facts;
  if (bytes.empty() || !facts.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    std::printf("%s  %s  unknown\n", plain(name).c_str(), kind);
    return;
  }
  std::printf("%s  %s  %s", plain(name).c_str(), kind, std::string(verdict_name(facts.verdict())).c_str());
  const auto show = [](const char* label, const std::string& text) {
    if (!text.empty()) std::printf("  %s: %s", label, plain(text).c_str());
  };
  show("category", facts.category());
  show("threat", facts.threat());
  show("publisher", facts.publisher());
  show("product", facts.product());
  if (facts.popularity() != 0) show("popularity", std::to_string(facts.popularity()));
  if (facts.first_seen() != 0) show("first seen", trust::format_time(facts.first_seen()));
  for (const auto& country : facts.countries()) show("country", country);
  if (facts.trust_group() != 0) show("trust group", std::string(trust_group_name(facts.trust_group())));
  if (facts.signature() != 0) show("signature", std::string(signature_name(facts.signature())));
  std::printf("\n");
}

const char* kind_text(int kind) { return kind == ksn::v1::OBJECT_FILE ? "file" : kind == ksn::v1::OBJECT_ADDRESS ? "address" : "software"; }

Result<std::string> look(ksn_store::Store& store, int kind, const std::string& digest) {
  ksn_store::Batch batch;
  PICKET_TRY(store.look_up(kind, digest, batch));
  return std::string(batch.facts(0));
}

struct Object {
  std::string name;
  Named what;
};
// What a command line names, software by options and all else by words; all of it is understood before anything is done.
Result<std::vector<Object>> objects_of(const Arguments& arguments) {
  std::vector<Object> out;
  if (arguments.has("product") && !arguments.has("publisher")) return fail(Code::invalid, "--product: needs --publisher, whose product it is");
  if (const auto publisher = arguments.get("publisher"), product = arguments.get("product"); !publisher.empty())
    out.push_back({cat(publisher, product.empty() ? "" : ", ", product), {ksn::v1::OBJECT_SOFTWARE, ksn::software_digest(publisher, product)}});
  else if (arguments.has("publisher"))
    return fail(Code::invalid, "--publisher: is empty");
  for (const auto& word : arguments.words) {
    auto named = name_object(word, 0);
    if (!named) return fail(std::move(named).error(), cat("'", word, "'"));
    out.push_back({word, std::move(*named)});
  }
  if (out.empty()) return fail(Code::invalid, "no object was named");
  return out;
}

}  // namespace

Result<> run_import(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"ksn", "store", "format", "kind", "verdict", "category", "threat", "publisher", "product"}, {"strict"}));
  if (arguments.words.empty()) return fail(Code::invalid, "no list was named");
  PICKET_LET(options, options_of(arguments));
  PICKET_LET(store, open(arguments));
  bool failed = false;
  for (const auto& file : arguments.words) {
    const auto result = import_one(file, options, *store);
    if (!result) {
      std::fflush(stdout);
      const auto& message = result.error().message;
      std::fprintf(stderr, "picket-ksn: %s\n", plain(message.starts_with(file) ? message : cat(file, ": ", message)).c_str());
      failed = true;
      if (result.error().code == Code::unavailable || result.error().code == Code::no_space) break;  // the next list would meet the same
      continue;
    }
    std::printf("%s: %s (%s, %s, %" PRIu64 " software)", plain(file).c_str(), many(result->rows, "object", "objects").c_str(), many(result->files, "file", "files").c_str(),
                many(result->addresses, "address", "addresses").c_str(), result->software);
    if (result->not_understood != 0) std::printf(", %s not understood, the first: %s", many(result->not_understood, "line", "lines").c_str(), plain(result->first).c_str());
    if (result->other_digests != 0) std::printf(", %s not used (MD5, SHA-1: KSN knows files by SHA-256)", many(result->other_digests, "other digest", "other digests").c_str());
    std::printf("%s\n", result->rows + result->not_understood + result->other_digests == 0 ? ": the list is empty; did its download fail?" : "");
    failed = failed || result->rows == 0 || result->rows < result->not_understood || (arguments.has("strict") && result->not_understood + result->other_digests != 0);
  }
  return failed ? Result<>(fail(Code::conflict, "not all lists were imported, or not enough of them")) : Result<>();
}

Result<> run_remove(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"ksn", "store", "publisher", "product"}));
  PICKET_LET(objects, objects_of(arguments));
  PICKET_LET(store, open(arguments));
  std::uint64_t removed = 0;
  std::string missed;
  for (const auto& [name, named] : objects) {
    const std::vector<std::string> digests{named.digest};
    PICKET_LET(count, store->remove(named.kind, digests));
    removed += count;
    if (count == 0 && missed.empty()) missed = name;
  }
  std::printf("%" PRIu64 " of %zu removed\n", removed, objects.size());
  return missed.empty() ? Result<>() : Result<>(fail(Code::not_found, cat("of '", missed, "' itself nothing was known")));
}

Result<> run_licence(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"ksn", "store", "until", "holder"}));
  const auto& words = arguments.words;
  const auto action = words.empty() ? std::string() : words[0];
  if (!(action == "list" && words.size() == 1) && !((action == "add" || action == "block" || action == "unblock") && words.size() == 2))
    return fail(Code::invalid, "usage: picket-ksn licence add ID [--until YYYY-MM-DD] [--holder H] | block ID | unblock ID | list");
  PICKET_LET(store, open(arguments));
  const auto show = [](const ksn_store::Licence& licence) {
    const bool over = licence.expires != 0 && licence.expires <= std::time(nullptr);
    std::printf("%s  %s  until %s%s%s\n", licence.id.c_str(), licence.blocked ? "blocked" : over ? "expired" : "known", licence.expires == 0 ? "further notice" : trust::format_time(licence.expires).c_str(),
                licence.holder.empty() ? "" : "  ", licence.holder.c_str());
  };
  if (action == "list") {
    PICKET_LET(all, store->licences());
    for (const auto& licence : all) show(licence);
    return {};
  }
  ksn_store::Licence licence;
  licence.id = words[1];
  if (licence.id.empty() || licence.id.size() > ksn::kMostTextBytes) return fail(Code::invalid, "a licence's id has 1 to 256 bytes");
  for (const auto& said : {licence.id, arguments.get("holder")})
    if (!is_valid_utf8(said) || std::any_of(said.begin(), said.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
      return fail(Code::invalid, "a licence's id and holder are UTF-8 without control characters");
  PICKET_LET(before, store->licence(licence.id));
  if (action != "add" && !before) return fail(Code::not_found, cat("licence ", licence.id, " is not known"));
  if (before) licence = *before;
  if (action != "add") licence.blocked = action == "block";  // who prolongs a blocked one does not let it in again
  if (arguments.has("holder")) licence.holder = arguments.get("holder");
  if (const auto until = arguments.get("until"); !until.empty()) {
    const auto time = trust::parse_time(until.size() == 10 ? until + "T23:59:59Z" : until);
    if (!time) return fail(Code::invalid, cat("--until: '", until, "' is no date (YYYY-MM-DD)"));
    licence.expires = *time;
  }
  PICKET_TRY(store->put_licence(licence));
  show(licence);
  return {};
}

Result<> run_show(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"ksn", "store", "publisher", "product"}));
  PICKET_LET(objects, objects_of(arguments));
  PICKET_LET(store, open(arguments));
  for (const auto& [name, named] : objects) {
    PICKET_LET(facts, look(*store, named.kind, named.digest));
    std::string shown = name;
    // As a client decides: what is known of the address itself, else of what it lies in.
    if (facts.empty() && named.kind == ksn::v1::OBJECT_ADDRESS) {
      PICKET_LET(canonical, ksn::canonical_address(name));
      for (const auto& expression : ksn::address_expressions(canonical)) {
        auto inner = name_object(expression, ksn::v1::OBJECT_ADDRESS);
        if (!inner) continue;
        PICKET_LET(found, look(*store, inner->kind, inner->digest));
        if (found.empty()) continue;
        facts = std::move(found);
        shown = cat(name, " (by ", expression, ")");
        break;
      }
    }
    print_facts(shown, kind_text(named.kind), facts);
  }
  return {};
}

Result<> run_stats(const std::vector<std::string>& text) {
  PICKET_LET(arguments, Arguments::parse(text, {"ksn", "store"}));
  if (!arguments.words.empty()) return fail(Code::invalid, cat("'", arguments.words[0], "' is too much: picket-ksn stats --ksn FOLDER"));
  PICKET_LET(store, open(arguments));
  std::printf("Store      %s\n", store->name().c_str());
  for (const int kind : {1, 2, 3}) {
    PICKET_LET(count, store->objects(kind));
    std::printf("%-10s %s\n", kind == 1 ? "Files" : kind == 2 ? "Addresses" : "Software", count ? std::to_string(*count).c_str() : "not counted");
  }
  PICKET_LET(licences, store->licences());
  std::printf("Licences   %zu\n", licences.size());
  PICKET_LET(days, store->counted());
  for (const auto& [day, counters] : days)
    for (const auto& [name, sum] : counters) std::printf("%s  %s  %" PRIu64 "\n", day.c_str(), name.c_str(), sum);
  return {};
}

}  // namespace picket::ksn_tool
