#include "tasks/work.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <picket/distribution_point/v1/distribution_point.pb.h>

#include "tasks/work_parts.hpp"
#include "trust/release.hpp"

namespace picket::tasks {

namespace json = boost::json;
namespace v1 = task::v1;
namespace point = distribution_point::v1;

constexpr std::chrono::hours kLongest{24};           // that the bus takes
constexpr std::chrono::milliseconds kPatience{1000};
constexpr std::uint64_t kWindow = 64 * 1024;

Chunk as_update_progress(const TellProgress& tell) {
  return [&tell](std::string_view bytes) {
    update::v1::Progress progress;
    if (progress.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) tell(progress);
  };
}

Result<bus::Reply> follow(bus::Caller& caller, std::string_view topic, const google::protobuf::MessageLite& question, const Chunk& take,
                          const core::CancelToken& cancel) {
  const auto payload = question.SerializeAsString();
  const auto type = cat("application/x-protobuf; messageType=", question.GetTypeName());
  PICKET_LET(stream, caller.open({.topic = topic, .to = {}, .content_type = type, .payload = payload, .timeout = kLongest}, kWindow, cancel));
  for (;;) {
    auto next = stream->next(kPatience);
    if (!next && next.error().code == Code::timeout) continue;
    if (!next) return fail(std::move(next).error());
    if (!*next) return stream->reply();
    take((*next)->payload());
  }
}

v1::WorkReply EngineWork::reply_of(const update::v1::RunResult& run) {
  v1::WorkReply out;
  out.set_result(run.result() == "current" ? "ok" : run.result());
  std::string changed;
  for (const auto& component : run.components()) {
    auto& part = *out.add_parts();
    part.set_name(component.component());
    part.set_result(component.result());
    part.set_text(component.text());
    if (component.result() == "updated") out.set_news(true);
    if (component.result() != "updated" && component.result() != "rolled-back" && component.result() != "removed") continue;
    changed += cat(changed.empty() ? "" : ", ", component.component(), " ", std::to_string(component.release_before()), " > ", std::to_string(component.release_after()));
  }
  out.set_text(!run.text().empty() ? run.text() : changed.empty() ? std::string("nothing new") : changed);
  if (run.unnamed() > 0) out.set_text(cat(out.text(), "; and ", std::to_string(run.unnamed()), " more components"));
  return out;
}

Result<update::v1::RunResult> EngineWork::ask_engine(bus::Caller& caller, std::string_view topic, const google::protobuf::MessageLite& order, const TellProgress& tell, const core::CancelToken& cancel) {
  PICKET_LET(reply, follow(caller, topic, order, as_update_progress(tell), cancel));
  update::v1::RunResult result;
  if (!result.ParseFromString(reply.payload)) return fail(Code::internal, cat("the answer to ", topic, " is no RunResult"));
  return result;
}

Result<v1::WorkReply> EngineWork::ask(bus::Caller& caller, std::string_view topic, const google::protobuf::MessageLite& order, const TellProgress& tell, const core::CancelToken& cancel) {
  return ask_engine(caller, topic, order, tell, cancel).map([](const auto& run) { return reply_of(run); });
}

// Options are checked when a task is defined: each must be known and of its kind.
Result<json::object> options_of(std::string_view text) {
  json::error_code error;
  auto document = json::parse(text, error);
  if (error || !document.is_object()) return fail(Code::invalid, "options: must be an object");
  return std::move(document.get_object());
}

Result<std::vector<std::string>> names_of(const json::value& list, std::string_view option) {
  std::vector<std::string> out;
  if (!list.is_array()) return fail(Code::invalid, cat("options.", option, ": must be a list of texts"));
  for (const auto& item : list.get_array()) {
    if (!item.is_string() || item.get_string().empty()) return fail(Code::invalid, cat("options.", option, ": must be a list of texts"));
    out.emplace_back(item.get_string());
  }
  return out;
}

Result<> check_component(std::string_view name, std::string_view option) {
  auto good = trust::check_component_name(name);
  return good ? good : Result<>(fail(std::move(good).error(), cat("options.", option)));
}

Result<std::vector<std::string>> components_of(const json::value& list) {
  PICKET_LET(names, names_of(list, "components"));
  for (const auto& name : names) PICKET_TRY(check_component(name, "components"));
  return names;
}

namespace {

// Also `prefetch`: the same, but nothing is put in force. Its schedule's random delay spreads it over time.
class UpdateWork final : public EngineWork {
 public:
  explicit UpdateWork(bool only_fetch) : only_fetch_(only_fetch) {}
  [[nodiscard]] std::string_view type() const override { return only_fetch_ ? "prefetch" : "update"; }
  [[nodiscard]] Result<> check(std::string_view options) const override {
    auto order = read(options);
    return order ? Result<>() : Result<>(fail(std::move(order).error()));
  }
  [[nodiscard]] Result<v1::WorkReply> run(bus::Caller& caller, const v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) const override {
    PICKET_LET(order, read(request.options_json()));
    order.set_prefetch(only_fetch_);
    return ask(caller, "picket.update.run", order, tell, cancel);
  }

 private:
  const bool only_fetch_;
  [[nodiscard]] static Result<update::v1::RunRequest> read(std::string_view text) {
    PICKET_LET(options, options_of(text));
    update::v1::RunRequest order;
    for (const auto& option : options) {
      if (option.key() == "components") {
        PICKET_LET(names, components_of(option.value()));
        for (auto& name : names) order.add_components(std::move(name));
      } else if (option.key() == "force" && option.value().is_bool()) {
        order.set_force_check(option.value().get_bool());
      } else {
        return fail(Code::invalid, option.key() == "force" ? std::string("options.force: must be true or false") : cat("options: an update knows no '", option.key(), "', only components and force"));
      }
    }
    return order;
  }
};

class RollbackWork final : public EngineWork {
 public:
  [[nodiscard]] std::string_view type() const override { return "rollback"; }
  [[nodiscard]] Result<> check(std::string_view options) const override {
    auto order = read(options);
    return order ? Result<>() : Result<>(fail(std::move(order).error()));
  }
  [[nodiscard]] Result<v1::WorkReply> run(bus::Caller& caller, const v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) const override {
    PICKET_LET(order, read(request.options_json()));
    return ask(caller, "picket.update.rollback", order, tell, cancel);
  }

 private:
  [[nodiscard]] static Result<update::v1::RollbackRequest> read(std::string_view text) {
    PICKET_LET(options, options_of(text));
    update::v1::RollbackRequest order;
    for (const auto& option : options) {
      const auto& value = option.value();
      if (option.key() == "component" && value.is_string() && !value.get_string().empty()) {
        order.set_component(std::string(value.get_string()));
        PICKET_TRY(check_component(order.component(), "component"));
      } else if (option.key() == "steps" && value.is_int64() && value.get_int64() >= 1 && value.get_int64() <= 1000) {
        order.set_steps(static_cast<std::uint32_t>(value.get_int64()));
      } else if (option.key() == "component" || option.key() == "steps") {
        return fail(Code::invalid, option.key() == "steps" ? "options.steps: must be a whole number from 1 to 1000" : "options.component: must be a text");
      } else {
        return fail(Code::invalid, cat("options: a rollback knows no '", option.key(), "', only component and steps"));
      }
    }
    if (order.component().empty()) return fail(Code::invalid, "options.component: a rollback needs it");
    return order;
  }
};

// What a point says of amounts is of all files together: each file has a line with its own size, and their sum moves by itself.
update::v1::Progress as_progress(const point::DownloadProgress& from) {
  update::v1::Progress out;
  out.set_step(from.step());
  out.set_text(from.text());
  if (from.step() == "fetch" && from.text().empty()) {
    out.set_done(from.done());
    out.set_total(from.total());
  } else {
    out.set_component(from.file());
  }
  return out;
}

// Download updates to the repositories of distribution points.
class PointWork final : public Work {
 public:
  [[nodiscard]] std::string_view type() const override { return "distribution-point"; }
  [[nodiscard]] Result<> check(std::string_view options) const override {
    auto order = read(options);
    return order ? Result<>() : Result<>(fail(std::move(order).error()));
  }
  [[nodiscard]] Result<v1::WorkReply> run(bus::Caller& caller, const v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) const override {
    PICKET_LET(order, read(request.options_json()));
    order.set_run(request.run());
    auto reply = follow(caller, "picket.distribution_point.download", order, [&tell](std::string_view bytes) {
      point::DownloadProgress from;
      if (from.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) tell(as_progress(from));
    }, cancel);
    if (!reply && reply.error().is_unanswered)
      return fail(Code::unsupported, "this computer is no distribution point: its plugin does not run");
    if (!reply) return fail(std::move(reply).error());
    point::DownloadResult result;
    if (!result.ParseFromString(reply->payload)) return fail(Code::internal, "the distribution point's answer is no DownloadResult");
    v1::WorkReply out;
    out.set_result(result.overall());
    out.set_text(result.reason());
    // The point's own setting, which lasts, is the place for what its devices are to find every day.
    if (!order.components().empty())
      out.set_text(cat(out.text(), out.text().empty() ? "" : "; ", "what only its options.components name is removed by the next download without them; the setting components of the point lasts"));
    for (const auto& each : result.points()) {
      auto& part = *out.add_parts();
      part.set_name(each.point());
      part.set_result(each.result_class());
      part.set_text(each.reason());
      if (each.published()) out.set_news(true);
    }
    return out;
  }

 private:
  [[nodiscard]] static Result<point::DownloadRequest> read(std::string_view text) {
    PICKET_LET(options, options_of(text));
    point::DownloadRequest order;
    for (const auto& option : options) {
      if (option.key() == "components") {
        PICKET_LET(names, components_of(option.value()));
        for (auto& name : names) order.add_components(std::move(name));
      } else if (option.key() == "overall_rule") {
        const auto* rule = option.value().if_string();
        if (rule == nullptr || (*rule != "strict" && *rule != "ignore-unsupported" && *rule != "any-ok"))
          return fail(Code::invalid, "options.overall_rule: must be strict, ignore-unsupported or any-ok");
        order.set_overall_rule(std::string(*rule));
      } else {
        return fail(Code::invalid, cat("options: a distribution-point download knows no '", option.key(), "', only components and overall_rule"));
      }
    }
    return order;
  }
};

}  // namespace

std::vector<std::unique_ptr<Work>> host_work() {
  std::vector<std::unique_ptr<Work>> out;
  out.push_back(std::make_unique<UpdateWork>(false));
  out.push_back(std::make_unique<UpdateWork>(true));
  out.push_back(std::make_unique<RollbackWork>());
  out.push_back(std::make_unique<PointWork>());
  out.push_back(copy_work());
  out.push_back(verification_work());
  return out;
}

Result<v1::WorkReply> run_elsewhere(bus::Caller& caller, const std::string& type, const v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) {
  auto reply = follow(caller, cat(kTypeTopic, type), request, as_update_progress(tell), cancel);
  if (!reply && reply.error().is_unanswered)
    return fail(Code::unavailable, cat("no plugin that runs offers tasks of type '", type, "'"));
  if (!reply) return fail(std::move(reply).error());
  v1::WorkReply out;
  if (!out.ParseFromString(reply->payload)) return fail(Code::invalid, cat("the plugin that offers tasks of type '", type, "' answered with no WorkReply"));
  for (const auto* known : {"ok", "partial", "unsupported", "failed"})
    if (out.result() == known) return out;
  return fail(Code::invalid, cat("the plugin that offers tasks of type '", type, "' answered with a result that is not known"));
}

}  // namespace picket::tasks
