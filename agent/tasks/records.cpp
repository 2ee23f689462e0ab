#include "tasks/records.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/json_members.hpp"

namespace picket::tasks {
namespace {

namespace json = boost::json;
namespace v1 = task::v1;
using members::number_of;
using members::text_of;

std::optional<json::object> object_of(std::string_view text) {
  json::error_code error;
  auto document = json::parse(text, error);
  if (error || !document.is_object()) return std::nullopt;
  return std::move(document.get_object());
}

std::string record_of(std::string_view task, const Remembered& what) {
  json::object out{{"task", task}, {"first_seen", what.first_seen}, {"last_start", what.last_start}, {"schedule", what.schedule}};
  if (what.pending_at != 0) {
    out["pending_at"] = what.pending_at;
    out["pending_why"] = what.pending_why;
  }
  if (what.running != 0) {
    out["running"] = static_cast<std::int64_t>(what.running);
    out["type"] = what.type;
    out["trigger"] = what.trigger;
  }
  return json::serialize(out);
}

// All other words, also those of a plugin that are not known here, are what somebody wants to hear first.
bool went_well(const v1::Part& part) {
  constexpr std::array<std::string_view, 6> good{"ok", "updated", "current", "fetched", "exported", "confirmed"};
  return std::ranges::find(good, part.result()) != good.end();
}

void cut(std::string& text, std::size_t most) { text.resize(whole_characters(text, most).size()); }

}  // namespace

Result<Records> Records::open(const std::filesystem::path& folder, Steps steps) {
  std::map<std::string, Remembered, std::less<>> tasks;
  PICKET_LET(journal, storage::Journal::open(folder / "journal", [&](std::string_view bytes) {
    const auto record = object_of(bytes);
    if (!record) return;
    auto& task = tasks[text_of(*record, "task")];
    task = {number_of(*record, "first_seen"), number_of(*record, "last_start"), number_of(*record, "pending_at"), text_of(*record, "pending_why"),
            number_of<std::uint64_t>(*record, "running"), text_of(*record, "type"), text_of(*record, "trigger"), number_of(*record, "schedule")};
  }));
  Records out(std::move(journal), storage::LineFile(folder / "history.jsonl", {kMaxRuns, 2u << 20}));
  out.tasks_ = std::move(tasks);
  out.steps_ = std::move(steps);
  return out;
}

Remembered Records::of(std::string_view task) const {
  const auto found = tasks_.find(task);
  return found == tasks_.end() ? Remembered() : found->second;
}

Result<> Records::set(const std::string& task, Remembered what) {
  auto& known = tasks_[task];
  if (known == what) return {};
  known = std::move(what);
  step("journal.append");
  if (journal_.size() > kMaxJournal) return write_anew();
  return journal_.append(record_of(task, known));
}

Result<> Records::write_anew() {
  std::erase_if(tasks_, [&](const auto& task) { return !wanted_.empty() && !wanted_.contains(task.first) && !before_.contains(task.first) && task.second.running == 0; });
  std::vector<std::string> records;
  for (const auto& [task, what] : tasks_) records.push_back(record_of(task, what));
  return journal_.rewrite(records);
}

Result<> Records::read(const std::function<bool(v1::Run)>& take) const {
  return history_.read([&](std::string_view line) {
    auto run = run_of(line);
    return run ? take(std::move(*run)) : true;
  });
}

v1::Run Records::in_one_message(v1::Run run) {
  cut(*run.mutable_text(), kMaxText);
  for (auto& part : *run.mutable_parts()) cut(*part.mutable_text(), kMaxText);
  if (run.ByteSizeLong() <= kMostOfRun) return run;
  google::protobuf::RepeatedPtrField<v1::Part> parts;
  parts.Swap(run.mutable_parts());
  constexpr std::size_t around = 8;  // a part's own bytes in the message
  auto bytes = run.ByteSizeLong() + kMaxText;
  std::vector<bool> stays(static_cast<std::size_t>(parts.size()));
  for (const bool good : {false, true})
    for (int i = 0; i < parts.size(); ++i) {
      const auto more = parts[i].ByteSizeLong() + around;
      if (went_well(parts[i]) != good || bytes + more > kMostOfRun) continue;
      bytes += more;
      stays[static_cast<std::size_t>(i)] = true;
    }
  for (int i = 0; i < parts.size(); ++i)
    if (stays[static_cast<std::size_t>(i)]) *run.add_parts() = std::move(parts[i]);
  const auto left_out = cat(std::to_string(parts.size() - run.parts_size()), " of ", std::to_string(parts.size()), " parts are left out: one message does not hold them all");
  cut(*run.mutable_text(), kMaxText - left_out.size() - 2);
  run.set_text(cat(run.text(), run.text().empty() ? "" : "; ", left_out));
  return run;
}

std::string Records::to_line(const v1::Run& run) {
  json::array parts;
  for (const auto& part : run.parts())
    parts.push_back(json::object{{"name", part.name()}, {"result", part.result()}, {"text", whole_characters(part.text(), kMaxText)}});
  return json::serialize(json::object{{"run", static_cast<std::int64_t>(run.run())}, {"task", run.task()}, {"type", run.type()}, {"trigger", run.trigger()},
                                      {"result", run.result()}, {"started", run.started()}, {"finished", run.finished()},
                                      {"text", whole_characters(run.text(), kMaxText)}, {"news", run.news()}, {"parts", std::move(parts)}});
}

std::optional<v1::Run> Records::run_of(std::string_view line) {
  const auto from = object_of(line);
  if (!from) return std::nullopt;
  v1::Run out;
  out.set_run(number_of<std::uint64_t>(*from, "run"));
  out.set_task(text_of(*from, "task"));
  out.set_result(text_of(*from, "result"));
  if (out.run() == 0 || out.task().empty() || out.result().empty()) return std::nullopt;
  out.set_type(text_of(*from, "type"));
  out.set_trigger(text_of(*from, "trigger"));
  out.set_started(number_of(*from, "started"));
  out.set_finished(number_of(*from, "finished"));
  out.set_text(text_of(*from, "text"));
  const auto* news = from->if_contains("news");
  out.set_news(news != nullptr && news->is_bool() && news->get_bool());
  if (const auto* parts = from->if_contains("parts"); parts != nullptr && parts->is_array())
    for (const auto& item : parts->get_array()) {
      if (!item.is_object()) continue;
      auto& part = *out.add_parts();
      part.set_name(text_of(item.get_object(), "name"));
      part.set_result(text_of(item.get_object(), "result"));
      part.set_text(text_of(item.get_object(), "text"));
    }
  return out;
}

}  // namespace picket::tasks
