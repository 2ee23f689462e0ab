// Copy to further folders, and the verification that comes before anything is handed on.
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/listed.hpp"
#include "tasks/work_parts.hpp"

namespace picket::tasks {
namespace {

namespace json = boost::json;
namespace v1 = task::v1;

class CopyWork final : public EngineWork {
 public:
  [[nodiscard]] std::string_view type() const override { return "copy"; }
  [[nodiscard]] Result<> check(std::string_view options) const override {
    auto order = read(options);
    return order ? Result<>() : Result<>(fail(std::move(order).error()));
  }
  [[nodiscard]] Result<v1::WorkReply> run(bus::Caller& caller, const v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) const override {
    PICKET_LET(order, read(request.options_json()));
    PICKET_LET(reply, ask(caller, "picket.update.export", order, tell, cancel));
    if (reply.result() == "ok") reply.set_text(cat("copied to ", listed(order.folders())));
    return std::move(reply);
  }

 private:
  [[nodiscard]] static Result<update::v1::ExportRequest> read(std::string_view text) {
    PICKET_LET(options, options_of(text));
    update::v1::ExportRequest order;
    for (const auto& option : options) {
      if (option.key() != "folders" && option.key() != "components") return fail(Code::invalid, cat("options: a copy knows no '", option.key(), "', only folders and components"));
      PICKET_LET(names, option.key() == "components" ? components_of(option.value()) : names_of(option.value(), option.key()));
      for (auto& name : names) (option.key() == "folders" ? *order.mutable_folders() : *order.mutable_components()).Add(std::move(name));
    }
    if (order.folders().empty()) return fail(Code::invalid, "options.folders: a copy needs it");
    for (const auto& folder : order.folders())
      if (folder.front() != '/') return fail(Code::invalid, cat("options.folders: '", folder, "' is no absolute path"));
    return order;
  }
};

// This computer is the test device: it takes the update on trial, the testers (types of plugins' tasks) try it, and what fails goes back. Until
// the verdict the engine tells nobody of it and hands it to nobody, neither a copy nor a distribution point; also not after a kill in between.
class VerificationWork final : public EngineWork {
 public:
  [[nodiscard]] std::string_view type() const override { return "verification"; }
  [[nodiscard]] Result<> check(std::string_view options) const override {
    auto plan = read(options);
    return plan ? Result<>() : Result<>(fail(std::move(plan).error()));
  }

  [[nodiscard]] Result<v1::WorkReply> run(bus::Caller& caller, const v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) const override {
    PICKET_LET(plan, read(request.options_json()));
    auto updated = ask_engine(caller, "picket.update.run", plan.order, tell, cancel);
    if (!updated) {
      // Part of it may be in force already.
      if (updated.error().code == Code::cancelled) (void)judge(caller, plan, "untried", "cancelled");
      return fail(std::move(updated).error());
    }
    auto reply = reply_of(*updated);
    reply.set_news(false);  // with the verdict
    if (reply.result() != "ok" && reply.result() != "partial") return reply;
    // Also when nothing is new: a run that was killed before its testers ended leaves a set that nobody has tried.
    for (const auto& tester : plan.testers) {
      update::v1::Progress progress;
      progress.set_step("test");
      progress.set_component(tester);
      tell(progress);
      auto question = request;
      question.set_options_json(plan.tester_options_json);
      auto tried = run_elsewhere(caller, tester, question, tell, cancel);
      auto& part = *reply.add_parts();
      part.set_name(tester);
      part.set_result(tried ? tried->result() : tried.error().code == Code::cancelled ? "cancelled" : "failed");
      part.set_text(tried ? tried->text() : tried.error().message);
      if (part.result() == "ok") continue;
      const auto why = cat(tester, part.text().empty() ? cat(" ended with ", part.result()) : cat(": ", part.text()));
      // A tester that is not there says nothing about the set.
      const bool is_untried = part.result() == "cancelled" || (!tried && tried.error().code == Code::unavailable);
      reply.set_result(part.result() == "cancelled" ? "cancelled" : "failed");
      reply.set_text(cat("not verified: ", why, in_words(judge(caller, plan, is_untried ? "untried" : "failed", why))));
      return reply;
    }
    PICKET_LET(passed, judge(caller, plan, "passed", ""));
    if (passed.result() == "failed") return fail(Code::io, passed.text());
    reply.set_news(!passed.components().empty());
    return reply;
  }

 private:
  struct Plan {
    update::v1::RunRequest order;
    std::vector<std::string> testers;
    std::string tester_options_json = "{}";
  };

  [[nodiscard]] static Result<Plan> read(std::string_view text) {
    PICKET_LET(options, options_of(text));
    Plan plan;
    plan.order.set_trial(true);
    for (const auto& option : options) {
      if (option.key() == "components" || option.key() == "testers") {
        PICKET_LET(names, option.key() == "components" ? components_of(option.value()) : names_of(option.value(), option.key()));
        if (option.key() == "testers") plan.testers = std::move(names);
        else
          for (auto& name : names) plan.order.add_components(std::move(name));
      } else if (option.key() == "tester_options" && option.value().is_object()) {
        plan.tester_options_json = json::serialize(option.value());
      } else {
        return fail(Code::invalid, option.key() == "tester_options" ? std::string("options.tester_options: must be an object")
                                                                    : cat("options: a verification knows no '", option.key(), "', only components, testers and tester_options"));
      }
    }
    if (plan.testers.empty()) return fail(Code::invalid, "options.testers: a verification needs the task types that try the new sets");
    return plan;
  }

  // A user's cancel does not reach this: an untried set must not stay.
  [[nodiscard]] static Result<update::v1::RunResult> judge(bus::Caller& caller, const Plan& plan, std::string_view verdict, std::string_view why) {
    update::v1::VerdictRequest order;
    order.set_verdict(std::string(verdict));
    order.set_why(std::string(why));
    *order.mutable_components() = plan.order.components();
    return ask_engine(caller, "picket.update.verdict", order, [](const auto&) {}, {});
  }

  // What went back.
  [[nodiscard]] static std::string in_words(const Result<update::v1::RunResult>& judged) {
    if (!judged) return cat("; what was on trial could not go back: ", judged.error().message);
    std::string out;
    for (const auto& component : judged->components()) {
      const auto& name = component.component();
      if (component.result() == "failed") out += cat("; ", name, " could not go back: ", component.text());
      else if (component.release_after() == 0) out += cat("; nothing of ", name, " is in force");
      else out += cat("; ", name, " is back at ", std::to_string(component.release_after()));
    }
    return out;
  }
};

}  // namespace

std::unique_ptr<Work> copy_work() { return std::make_unique<CopyWork>(); }
std::unique_ptr<Work> verification_work() { return std::make_unique<VerificationWork>(); }

}  // namespace picket::tasks
