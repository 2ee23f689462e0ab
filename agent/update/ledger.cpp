#include "update/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/bytes.hpp"
#include "base/json_members.hpp"

namespace picket::update {
namespace {

namespace json = boost::json;
using members::flag_of;
using members::number_of;
using members::text_of;

constexpr std::uint64_t kCompactAbove = 256 * 1024;

void put_in_force(Record& record, const std::string& set, std::int64_t at) {
  if (set != record.in_force) {
    std::erase(record.earlier, set);
    if (!record.in_force.empty()) record.earlier.insert(record.earlier.begin(), record.in_force);
    if (record.earlier.size() > Ledger::kMaxEarlier) record.earlier.resize(Ledger::kMaxEarlier);
  }
  record.in_force = set;
  record.activated = at;
}

// Back at what was good, or before it: nothing is on trial any more.
void end_trial(Record& record) {
  if (record.verified && release_in(record.in_force) <= release_in(*record.verified)) record.verified = record.in_force;
}

void finish_switch(Record& record, std::int64_t at) {
  const auto done = *std::exchange(record.pending, std::nullopt);
  if (done.trial && !record.verified) record.verified = record.in_force;
  if (!done.trial && !done.back) record.verified.reset();  // an update that nobody verifies: others get what it brings
  put_in_force(record, done.to, at);
  if (done.back) end_trial(record);
  record.confirmed = done.restoring;  // what comes back was in force before
  if (done.back) std::erase(record.earlier, done.from);
}

// One line of the journal applied; the same for what is written and what is read back.
void apply(Record& record, const json::object& line) {
  const auto did = text_of(line, "did");
  if (did == "begin") {
    record.pending = Pending{text_of(line, "from"), text_of(line, "to"), flag_of(line, "restoring"), flag_of(line, "back"), flag_of(line, "trial")};
  } else if (did == "switched" && record.pending) {
    finish_switch(record, number_of(line, "at"));
  } else if (did == "abandoned") {
    record.pending.reset();
  } else if (did == "found") {
    put_in_force(record, text_of(line, "set"), number_of(line, "at"));
    end_trial(record);
    record.confirmed = true;
    record.pending.reset();
  } else if (did == "confirmed") {
    record.confirmed = true;
  } else if (did == "refuse") {
    Refusal refusal{number_of<std::uint64_t>(line, "release"), flag_of(line, "by_rollback"), text_of(line, "why")};
    std::erase_if(record.refused, [&](const auto& other) { return other.release == refusal.release; });
    record.refused.insert(record.refused.begin(), std::move(refusal));
    if (record.refused.size() > Ledger::kMaxRefused) record.refused.resize(Ledger::kMaxRefused);
  } else if (did == "allow") {
    std::erase_if(record.refused, [&](const auto& other) { return other.release == number_of<std::uint64_t>(line, "release"); });
  } else if (did == "passed") {
    record.verified = record.in_force;
  } else if (did == "class") {
    record.cls = text_of(line, "class");
  } else if (did == "avoid-delta") {
    record.avoided_delta = number_of<std::uint64_t>(line, "release");
  } else if (did == "forget") {
    std::erase(record.earlier, text_of(line, "set"));
  } else if (did == "state") {  // a compacted record, whole
    record = {};
    record.in_force = text_of(line, "in_force");
    record.activated = number_of(line, "at");
    record.confirmed = flag_of(line, "confirmed");
    record.avoided_delta = number_of<std::uint64_t>(line, "avoided_delta");
    record.cls = text_of(line, "class");
    if (line.contains("verified")) record.verified = text_of(line, "verified");
    if (const auto* earlier = line.if_contains("earlier"); earlier != nullptr && earlier->is_array())
      for (const auto& set : earlier->get_array())
        if (set.is_string()) record.earlier.emplace_back(set.get_string());
  }
}

json::object line_of(std::string_view did, std::string_view component) { return {{"did", did}, {"component", component}}; }

}  // namespace

std::uint64_t release_in(std::string_view set) {
  std::uint64_t number = 0;
  std::from_chars(set.data(), set.data() + set.size(), number);
  return number;
}

Result<Ledger> Ledger::open(std::filesystem::path path, Steps steps) {
  std::map<std::string, Record, std::less<>> records;
  PICKET_LET(journal, storage::Journal::open(std::move(path), [&](std::string_view text) {
    json::error_code error;
    const auto line = json::parse(text, error);
    if (error || !line.is_object()) return;  // whole but not ours: written by something newer
    const auto component = text_of(line.get_object(), "component");
    if (!component.empty()) apply(records[component], line.get_object());
  }));
  Ledger ledger(std::move(journal), std::move(steps));
  ledger.records_ = std::move(records);
  if (ledger.journal_.size() > kCompactAbove) PICKET_TRY(ledger.compact());
  return ledger;
}

Result<> Ledger::compact() {
  std::vector<std::string> lines;
  for (const auto& [component, record] : records_) {
    auto state = line_of("state", component);
    state["in_force"] = record.in_force;
    state["at"] = record.activated;
    state["confirmed"] = record.confirmed;
    if (record.avoided_delta != 0) state["avoided_delta"] = static_cast<std::int64_t>(record.avoided_delta);
    if (!record.cls.empty()) state["class"] = record.cls;
    if (record.verified) state["verified"] = *record.verified;
    auto& earlier = state["earlier"].emplace_array();
    for (const auto& set : record.earlier) earlier.emplace_back(set);
    lines.push_back(json::serialize(state));
    for (auto refusal = record.refused.rbegin(); refusal != record.refused.rend(); ++refusal) {
      auto line = line_of("refuse", component);
      line["release"] = static_cast<std::int64_t>(refusal->release);
      line["by_rollback"] = refusal->by_rollback;
      line["why"] = refusal->why;
      lines.push_back(json::serialize(line));
    }
    if (record.pending) {
      auto line = line_of("begin", component);
      line["from"] = record.pending->from;
      line["to"] = record.pending->to;
      line["restoring"] = record.pending->restoring;
      line["back"] = record.pending->back;
      line["trial"] = record.pending->trial;
      lines.push_back(json::serialize(line));
    }
  }
  return journal_.rewrite(lines);
}

Result<> Ledger::write(std::string_view step, const std::string& text) {
  steps_(step);
  PICKET_TRY(journal_.append(text));
  const auto line = json::parse(text).as_object();
  apply(records_[text_of(line, "component")], line);
  return {};
}

Result<> Ledger::begin(const std::string& component, const Pending& pending) {
  auto line = line_of("begin", component);
  line["from"] = pending.from;
  line["to"] = pending.to;
  line["restoring"] = pending.restoring;
  line["back"] = pending.back;
  line["trial"] = pending.trial;
  return write("journal.begin", json::serialize(line));
}

Result<> Ledger::switched(const std::string& component, std::int64_t at) {
  auto line = line_of("switched", component);
  line["at"] = at;
  return write("journal.switched", json::serialize(line));
}

Result<> Ledger::abandoned(const std::string& component) { return write("journal.abandoned", json::serialize(line_of("abandoned", component))); }

Result<> Ledger::found(const std::string& component, const std::string& set, std::int64_t at) {
  auto line = line_of("found", component);
  line["set"] = set;
  line["at"] = at;
  return write("journal.found", json::serialize(line));
}

Result<> Ledger::confirmed(const std::string& component) { return write("journal.confirmed", json::serialize(line_of("confirmed", component))); }

Result<> Ledger::refuse(const std::string& component, const Refusal& refusal) {
  auto line = line_of("refuse", component);
  line["release"] = static_cast<std::int64_t>(refusal.release);
  line["by_rollback"] = refusal.by_rollback;
  line["why"] = whole_characters(refusal.why, 1000);
  return write("journal.refuse", json::serialize(line));
}

Result<> Ledger::allow(const std::string& component, std::uint64_t release) {
  auto line = line_of("allow", component);
  line["release"] = static_cast<std::int64_t>(release);
  return write("journal.allow", json::serialize(line));
}

Result<> Ledger::passed(const std::string& component) { return write("journal.passed", json::serialize(line_of("passed", component))); }

Result<> Ledger::learn_class(const std::string& component, const std::string& cls) {
  if (record(component).cls == cls) return {};
  auto line = line_of("class", component);
  line["class"] = cls;
  return write("journal.class", json::serialize(line));
}

Result<> Ledger::avoid_delta(const std::string& component, std::uint64_t release) {
  auto line = line_of("avoid-delta", component);
  line["release"] = static_cast<std::int64_t>(release);
  return write("journal.avoid-delta", json::serialize(line));
}

Result<> Ledger::forget_set(const std::string& component, const std::string& set) {
  auto line = line_of("forget", component);
  line["set"] = set;
  return write("journal.forget", json::serialize(line));
}

const Record& Ledger::record(std::string_view component) const {
  static const Record nothing;
  const auto found = records_.find(component);
  return found == records_.end() ? nothing : found->second;
}

}  // namespace picket::update
