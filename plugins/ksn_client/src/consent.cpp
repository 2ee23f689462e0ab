#include "consent.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/listed.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::string_view kRecord = "consent";
constexpr std::uint64_t kMostStatement = 100'000;  // with all else it fits into one message of the bus
constexpr std::string_view kVersion = "Version: ";
constexpr std::string_view kForgotten = "its record is removed, and after a restart the statement must be accepted before KSN is used";

json::object json_of(const Consent::Decision& decision) {
  return {{"version", decision.version}, {"language", decision.language}, {"digest", decision.digest},
          {"who", decision.who},         {"when", decision.when},         {"accepted", decision.accepted}};
}

Result<Consent::Decision> decision_of(const json::value& value) {
  if (!value.is_object()) return fail(Code::invalid, "not an object");
  const auto& members = value.get_object();
  Consent::Decision out;
  for (const auto& [name, into] : std::initializer_list<std::pair<const char*, std::string*>>{
           {"version", &out.version}, {"language", &out.language}, {"digest", &out.digest}, {"who", &out.who}}) {
    const auto* member = members.if_contains(name);
    if (member == nullptr || !member->is_string()) return fail(Code::invalid, cat("no text '", name, "'"));
    *into = member->get_string();
  }
  const auto *when = members.if_contains("when"), *accepted = members.if_contains("accepted");
  if (when == nullptr || !when->is_int64() || accepted == nullptr || !accepted->is_bool()) return fail(Code::invalid, "no 'when' or 'accepted'");
  out.when = when->get_int64();
  out.accepted = accepted->get_bool();
  if (out.accepted && out.digest.size() != 64) return fail(Code::invalid, "accepted without a digest");
  return out;
}

std::string one_line(std::string_view text) { return picket::plain_line(text, 200); }

// Empty: none.
Result<std::string> record_in(const Keep& keep) {
  auto record = keep.load(kRecord);
  if (record) return record;
  if (record.error().code == Code::not_found) return std::string();
  return fail(std::move(record).error(), "the record of consent cannot be read");
}

}  // namespace

Result<Statement> Statement::load(const std::string& folder, const std::string& language) {
  const auto path = fs::path(folder) / cat("ksn_", language, ".txt");
  auto text = picket::read_file(path, kMostStatement);
  if (!text) {
    const auto others = languages(folder);
    return fail(std::move(text).error(), cat("the KSN statement in language '", language, "'", others.empty() ? "" : cat(" (there are: ", picket::listed(others), ")")));
  }
  Statement out;
  const auto end = text->find('\n');
  if (!text->starts_with(kVersion) || end == std::string::npos || end == kVersion.size() || end > 60)
    return fail(Code::invalid, cat(path.native(), ": its first line is not 'Version: ...'"));
  if (!picket::is_valid_utf8(*text)) return fail(Code::invalid, cat(path.native(), ": not UTF-8"));
  out.version = one_line(std::string_view(*text).substr(kVersion.size(), end - kVersion.size()));
  out.language = language;
  out.digest = picket::sha256_hex(*text);
  out.text = std::move(*text);
  return out;
}

std::vector<std::string> Statement::languages(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end && out.size() < 100; entry.increment(error)) {
    const auto name = entry->path().filename().native();
    if (name.starts_with("ksn_") && name.ends_with(".txt") && name.size() > 8 && name.size() < 20) out.push_back(name.substr(4, name.size() - 8));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<bool> Consent::is_overtaken(const Keep& keep) const {
  PICKET_LET(record, record_in(keep));
  return record != record_;
}

Result<bool> Consent::read(const Keep& keep, std::string& told) {
  PICKET_LET(record, record_in(keep));
  const bool is_first = !std::exchange(is_read_, true);
  if (record == record_) return false;
  // What was ended before anything could be read, and could not be recorded either, stays ended.
  if (is_first && record_.empty() && (last_.when != 0 || switched_at_ != 0)) {
    if (!store(keep)) record_ = std::move(record);
    return false;
  }
  *this = in(record, told);
  is_read_ = true;
  return true;
}

Consent Consent::in(const std::string& record, std::string& told) {
  Consent out;
  out.record_ = record;
  if (record.empty()) return out;
  const auto bad = [&](std::string_view why) {
    told = cat("the record of the decision about the KSN statement is damaged (", why, "): KSN stays off until the statement is accepted again");
    Consent none;
    none.record_ = record;
    return none;
  };
  boost::system::error_code error;
  const auto value = json::parse(record, error);
  if (error || !value.is_object()) return bad("no JSON object");
  const auto& members = value.get_object();
  const auto *accepted = members.if_contains("accepted"), *last = members.if_contains("last"), *on = members.if_contains("on"), *by = members.if_contains("switched_by"),
             *at = members.if_contains("switched_at");
  if (accepted == nullptr || last == nullptr || on == nullptr || !on->is_bool() || by == nullptr || !by->is_string() || at == nullptr || !at->is_int64()) return bad("members are missing");
  auto first = decision_of(*accepted);
  auto second = decision_of(*last);
  if (!first) return bad(first.error().message);
  if (!second) return bad(second.error().message);
  out.accepted_ = std::move(*first);
  out.last_ = std::move(*second);
  out.on_ = on->get_bool();
  out.switched_by_ = by->get_string();
  out.switched_at_ = at->get_int64();
  // Records from before a version was declined whole could hold both.
  if (!out.last_.accepted && out.last_.version == out.accepted_.version) out.accepted_ = {};
  return out;
}

bool Consent::store(const Keep& keep) {
  auto record = to_json();
  if (!keep.store(kRecord, record)) return false;
  record_ = std::move(record);
  return true;
}

bool Consent::forget(const Keep& keep) {
  if (!keep.forget(kRecord)) return false;
  record_.clear();
  return true;
}

std::string Consent::to_json() const {
  return json::serialize(json::object{{"accepted", json_of(accepted_)}, {"last", json_of(last_)}, {"on", on_}, {"switched_by", switched_by_}, {"switched_at", switched_at_}});
}

Result<> Consent::decide(const Keep& keep, const Statement& statement, bool accept, const std::string& who, std::int64_t now, bool may_switch) {
  Consent next = *this;
  next.last_ = {statement.version, statement.language, statement.digest, one_line(who), now, accept};
  if (accept) {
    next.accepted_ = next.last_;
    if (on_ || may_switch) {
      next.on_ = true;
      next.switched_by_ = next.last_.who;
      next.switched_at_ = now;
    }
  } else if (accepted_.accepted && (accepted_.digest == statement.digest || accepted_.version == statement.version)) {
    next.accepted_ = {};  // taken back: it is the text under which KSN was used, in whatever language it was read
  }
  const bool stored = next.store(keep);
  if (!stored && accept) return fail(Code::io, "the decision could not be recorded, so it is not in force");
  *this = std::move(next);
  if (stored) return {};
  if (!lets_ask() && forget(keep)) return fail(Code::io, cat("the statement is declined, but that could not be recorded: ", kForgotten));
  return fail(Code::io, "the statement is declined, but that could not be recorded: a restart may forget it");
}

Result<> Consent::switch_to(const Keep& keep, bool on, const std::string& who, std::int64_t now) {
  Consent next = *this;
  next.on_ = on;
  next.switched_by_ = one_line(who);
  next.switched_at_ = now;
  const bool stored = next.store(keep);
  if (!stored && on) return fail(Code::io, "switching KSN on could not be recorded, so it stays off");
  *this = std::move(next);
  if (stored) return {};
  if (forget(keep)) return fail(Code::io, cat("KSN is off, but that could not be recorded: ", kForgotten));
  return fail(Code::io, "KSN is off, but that could not be recorded: it may be on again after a restart");
}

v1::Statement Consent::shown(const Statement* ships) const {
  v1::Statement out;
  if (ships != nullptr) {
    out.set_version(ships->version);
    out.set_language(ships->language);
    out.set_digest(ships->digest);
  }
  // A version is declined whole; accepted, it is in every other language. In the same one it is another text.
  const auto is_about = [&](const Decision& decision) {
    return decision.digest == ships->digest || (decision.version == ships->version && (!decision.accepted || decision.language != ships->language));
  };
  const Decision* about = ships == nullptr || is_about(last_) ? &last_ : is_about(accepted_) ? &accepted_ : nullptr;
  out.set_decision("none");
  if (about != nullptr && about->when != 0) {
    out.set_decision(about->accepted ? "accepted" : "declined");
    out.set_who(about->who);
    out.set_when(about->when);
  }
  if (accepted_.accepted) out.set_accepted_version(accepted_.version);
  return out;
}

}  // namespace ksn_client
