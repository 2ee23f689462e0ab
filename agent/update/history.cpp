#include "update/history.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/json_members.hpp"

namespace picket::update {
namespace {

namespace json = boost::json;
using members::number_of;
using members::text_of;

constexpr std::size_t kMaxReply = 120'000;

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

std::string to_line(const v1::RunResult& result) {
  json::array components;
  for (const auto& component : result.components())
    components.push_back(json::object{{"component", component.component()}, {"result", component.result()}, {"variant", component.variant()},
                                      {"release_before", signed_of(component.release_before())}, {"release_after", signed_of(component.release_after())},
                                      {"text", component.text()}, {"bytes", signed_of(component.bytes())}});
  return json::serialize(json::object{{"run", signed_of(result.run())}, {"kind", result.kind()}, {"result", result.result()}, {"started", result.started()},
                                      {"finished", result.finished()}, {"source", result.source()}, {"text", result.text()},
                                      {"bytes", signed_of(result.bytes())}, {"unnamed", result.unnamed()}, {"components", std::move(components)}});
}

std::optional<v1::RunResult> from_line(std::string_view line) {
  json::error_code error;
  const auto document = json::parse(line, error);
  if (error || !document.is_object()) return std::nullopt;
  const auto& object = document.get_object();
  v1::RunResult out;
  out.set_run(number_of<std::uint64_t>(object, "run"));
  out.set_kind(text_of(object, "kind"));
  out.set_result(text_of(object, "result"));
  if (out.run() == 0 || out.result().empty()) return std::nullopt;
  out.set_started(number_of(object, "started"));
  out.set_finished(number_of(object, "finished"));
  out.set_source(text_of(object, "source"));
  out.set_text(text_of(object, "text"));
  out.set_bytes(number_of<std::uint64_t>(object, "bytes"));
  out.set_unnamed(number_of<std::uint32_t>(object, "unnamed"));
  if (const auto* components = object.if_contains("components"); components != nullptr && components->is_array())
    for (const auto& item : components->get_array()) {
      if (!item.is_object()) continue;
      const auto& from = item.get_object();
      auto& to = *out.add_components();
      to.set_component(text_of(from, "component"));
      to.set_result(text_of(from, "result"));
      to.set_variant(text_of(from, "variant"));
      to.set_release_before(number_of<std::uint64_t>(from, "release_before"));
      to.set_release_after(number_of<std::uint64_t>(from, "release_after"));
      to.set_text(text_of(from, "text"));
      to.set_bytes(number_of<std::uint64_t>(from, "bytes"));
    }
  return out;
}

Result<> History::add(const v1::RunResult& result) {
  const std::lock_guard lock(mutex_);
  return file_.add(to_line(result), [this] { steps_("history.write"); });
}

Result<v1::HistoryReply> History::read(std::uint32_t limit) const {
  if (limit == 0) limit = 20;
  v1::HistoryReply out;
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  PICKET_TRY(file_.read([&](std::string_view line) {
    auto run = from_line(line);
    if (!run) return true;
    bytes += run->ByteSizeLong() + 8;
    if (bytes > kMaxReply) return false;
    *out.add_runs() = std::move(*run);
    return --limit > 0;
  }));
  return out;
}

}  // namespace picket::update
