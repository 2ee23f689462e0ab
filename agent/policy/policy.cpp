#include "policy/policy.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/listed.hpp"
#include "policy/composer.hpp"
#include "policy/plan.hpp"
#include "policy/store.hpp"
#include "policy/transaction.hpp"
#include "policy/verify.hpp"
#include "runtime/log_text.hpp"
#include "trust/dsse.hpp"
#include "trust/metadata.hpp"

namespace picket::policy {
namespace {

class LayeredPolicy final : public Policy {
 public:
  LayeredPolicy(Options options, const core::Clock& clock) : options_(std::move(options)), clock_(clock), store_(options_.state_dir) {}

  Result<> load() {
    if (auto ready = store_.prepare(); !ready) return fail(std::move(ready).error(), "policy state");
    if (auto state = store_.state()) state_ = std::move(*state);
    else if (state.error().code == Code::invalid) open_problems_.push_back(cat(state.error().message, "; older policies cannot be told from newer ones until the next one is applied"));
    else return fail(std::move(state).error(), "policy state");
    if (store_.has_candidate()) {
      open_problems_.push_back("applying a policy was interrupted; the last known good one stays in force");
      PICKET_TRY(store_.drop_candidate());
    }
    auto envelope = store_.in_force();
    if (!envelope) {
      if (envelope.error().code != Code::not_found) open_problems_.push_back(cat("the stored policy is not used: ", envelope.error().message));
      return {};
    }
    auto verified = verify(*envelope, options_);
    if (verified && verified->document.revision < state_.highest_revision) {
      verified = fail(Code::untrusted, cat("it has revision ", std::to_string(verified->document.revision), ", but revision ",
                                           std::to_string(state_.highest_revision), " was in force before"));
    }
    if (!verified) {
      open_problems_.push_back(cat("the stored policy is not used: ", verified.error().message));
      return {};
    }
    in_force_ = std::move(*verified);
    host_at_start_ = in_force_->document.host;
    state_.highest_revision = std::max(state_.highest_revision, in_force_->document.revision);
    return {};
  }

  Result<Effective> effective(const std::string& id, const std::string& schema_json) override {
    PICKET_LET(schema, CompiledSchema::compile(schema_json));
    const std::lock_guard lock(mutex_);
    for (auto& change : changes_) {
      if (change.id != id) continue;
      change.taken = true;
      return change.after;
    }
    PICKET_LET(made, composer_.in_force(id, schema, section(document(), id), locals_.of(id)));
    auto& settings = made.settings;
    problems_[id] = settings.warnings;
    auto& given = given_[id];
    // A new version of a plugin may bring other defaults: another revision too.
    if (!given.json.empty() && !given.says_the_same(settings) && given.revision == state_.generation) ++state_.generation;
    settings.revision = state_.generation;
    given = settings;
    return std::move(settings);
  }

  Applied apply(std::string_view envelope, Consumers& consumers) override {
    const std::lock_guard serial(transaction_);
    // A slip, such as another file's name: answered, and nothing that the device must warn of from now on.
    if (auto parsed = trust::DsseEnvelope::parse(envelope); !parsed)
      return Applied{false, revision(), runtime::redact(cat("refused: ", parsed.error().message, "; a policy is signed first (picket-repo dsse sign)")), {}};
    auto verified = verify(envelope, options_);
    if (!verified) return refuse(cat("refused: ", verified.error().message));
    auto& document = verified->document;
    const auto revision = std::to_string(document.revision);
    if (in_force_ && document.revision == in_force_->document.revision) {
      if (document.text != in_force_->document.text) return refuse(cat("refused: revision ", revision, " is in force already, with other content"));
      return confirm(document.revision);
    }
    if (document.revision < state_.highest_revision)
      return refuse(cat("refused: revision ", revision, " is older than revision ", std::to_string(state_.highest_revision), ", which was in force already"));
    if (auto in_time = check_times(document, clock_.wall_seconds()); !in_time) return refuse(cat("refused: ", in_time.error().message));

    const auto schemas = consumers.schemas();
    for (const auto& [id, says] : document.plugins)
      if (auto good = consumers.check(id, says.topics); !good) return refuse(cat("refused: ", id, ": ", good.error().message));
    auto plan = planned(schemas, &document, nullptr);
    if (!plan) return refuse(cat("refused: ", plan.error().message));
    if (auto kept = store_.put_candidate(envelope); !kept) return refuse(cat("could not be stored: ", kept.error().message));
    auto result = carry_out(plan->changes, consumers, [&] { return store_.promote_candidate(); });
    if (!result.applied) {
      if (auto dropped = store_.drop_candidate(); !dropped) result.text += cat("; ", dropped.error().message);
      const auto outcomes = std::move(result.outcomes);
      result = refuse(result.text);
      result.outcomes = outcomes;
      return result;
    }
    const std::lock_guard lock(mutex_);
    in_force_ = std::move(*verified);
    open_problems_.clear();
    problems_ = std::move(plan->problems);
    state_.highest_revision = in_force_->document.revision;
    state_.applied = clock_.wall_seconds();
    state_.refused = 0;
    state_.refusal.clear();
    // The policy is in force whatever happens to this file: open() counts with the policy's own revision too.
    if (auto saved = store_.save(state_); !saved) result.text = cat("in force, but not recorded: ", saved.error().message);
    result.policy_revision = in_force_->document.revision;
    add_remarks(result, schemas);
    return result;
  }

  Applied reload_local(Consumers& consumers) override {
    const std::lock_guard serial(transaction_);
    const auto schemas = consumers.schemas();
    LocalFiles fresh(options_.local_dir);
    for (const auto& schema : schemas)
      if (const auto& problem = fresh.of(schema.id).problem; !problem.empty()) return refuse_reload(problem);
    auto plan = planned(schemas, nullptr, &fresh);
    if (!plan) return refuse_reload(plan.error().message);
    auto result = carry_out(plan->changes, consumers, [] { return Result<>(); });
    if (!result.applied) {
      auto refused = refuse_reload(result.text);
      refused.outcomes = std::move(result.outcomes);
      return refused;
    }
    result.policy_revision = revision();
    const std::lock_guard lock(mutex_);
    locals_ = std::move(fresh);
    problems_ = std::move(plan->problems);
    reload_refusal_.clear();
    if (auto saved = store_.save(state_); !saved) result.text = cat("in force, but not recorded: ", saved.error().message);
    return result;
  }

  Shown shown() const override {
    const std::lock_guard lock(mutex_);
    Shown out;
    out.problems = open_problems_;
    if (in_force_) {
      const auto& document = in_force_->document;
      out.policy_json = document.text;
      out.revision = document.revision;
      out.signed_by = in_force_->signed_by;
      out.applied = state_.applied;
      out.expires = document.expires;
      if (document.expires <= clock_.wall_seconds())
        out.problems.push_back(cat("the policy expired at ", trust::format_time(document.expires), "; it stays in force as the last known good"));
    }
    if (state_.refused != 0) out.problems.push_back(cat("last refusal, ", trust::format_time(state_.refused), ": ", state_.refusal));
    for (const auto& [id, problems] : problems_) out.problems.insert(out.problems.end(), problems.begin(), problems.end());
    if (!reload_refusal_.empty()) out.problems.push_back(reload_refusal_);
    for (const auto& problem : out.problems) out.text += cat(out.text.empty() ? "" : "\n", problem);
    return out;
  }

  HostSection host() const override {
    const std::lock_guard lock(mutex_);
    return in_force_ ? in_force_->document.host : HostSection{};
  }

  Topics topics(std::string_view id) const override {
    const std::lock_guard lock(mutex_);
    const auto* says = section(document(), id);
    return says == nullptr ? Topics{} : says->topics;
  }

  Result<std::vector<Explained>> explain(const std::string& id, const std::string& schema_json, std::string_view setting) override {
    PICKET_LET(schema, CompiledSchema::compile(schema_json));
    const std::lock_guard lock(mutex_);
    return composer_.explain(id, schema, section(document(), id), locals_.of(id), setting);
  }

 private:
  const Document* document() const { return in_force_ ? &in_force_->document : nullptr; }
  std::uint64_t revision() const { return in_force_ ? in_force_->document.revision : 0; }

  Result<Plan> planned(const std::vector<Schema>& schemas, const Document* candidate, LocalFiles* fresh) {
    const std::lock_guard lock(mutex_);
    return plan({composer_, document(), locals_, given_}, schemas, candidate, fresh);
  }

  template <class Commit>
  Applied carry_out(std::vector<Change>& changes, Consumers& consumers, const Commit& commit) {
    {
      const std::lock_guard lock(mutex_);
      ++state_.generation;
      for (auto& change : changes) change.after.revision = state_.generation;
      changes_ = changes;
    }
    auto offered = offer(changes, consumers, [this](Change& change) {
      const std::lock_guard lock(mutex_);
      for (auto& shared : changes_)
        if (shared.id == change.id) shared.taken = true;
    });
    Result<> committed;
    if (offered.ok) committed = commit();
    const bool applied = offered.ok && committed;
    std::uint64_t next = 0;
    {
      const std::lock_guard lock(mutex_);
      changes = std::exchange(changes_, {});  // with who took them
      if (applied) {
        for (const auto& change : changes) given_[change.id] = change.after;
        return Applied{true, 0, {}, std::move(offered.outcomes)};
      }
      next = ++state_.generation;
      for (auto& change : changes)
        if (change.taken && change.has_before) given_[change.id].revision = next;
    }
    std::string text = offered.ok ? cat("could not be put in force: ", committed.error().message) : std::move(offered.text);
    text += "; all went back to the settings before";
    if (const auto failures = go_back(changes, consumers, next); !failures.empty()) text += cat(", except: ", failures);
    return Applied{false, 0, std::move(text), std::move(offered.outcomes)};
  }

  // A plugin that refuses its settings may quote an address with a password in it: this is stored, and logged at the next start.
  Applied refuse(std::string_view why) {
    auto text = runtime::redact(why);
    const std::lock_guard lock(mutex_);
    state_.refused = clock_.wall_seconds();
    state_.refusal = text;
    if (auto saved = store_.save(state_); !saved) text += cat(" (and the refusal could not be recorded: ", saved.error().message, ")");
    return Applied{false, revision(), std::move(text), {}};
  }

  // Whoever gives the one in force again wants it, and no other that was refused since.
  Applied confirm(std::uint64_t revision) {
    Applied out{true, revision, cat("revision ", std::to_string(revision), " is in force already"), {}};
    const std::lock_guard lock(mutex_);
    if (state_.refused == 0) return out;
    state_.refused = 0;
    state_.refusal.clear();
    if (auto saved = store_.save(state_); !saved) out.text += cat("; that nothing newer is wanted could not be recorded: ", saved.error().message);
    return out;
  }

  // Not kept on the disk: a start reads the files again, and says itself what is wrong with them.
  Applied refuse_reload(std::string_view why) {
    auto text = cat("local values stay as they were: ", runtime::redact(why));
    const std::lock_guard lock(mutex_);
    reload_refusal_ = cat("last reload, ", trust::format_time(clock_.wall_seconds()), ": ", text);
    return Applied{false, revision(), std::move(text), {}};
  }

  void add_remarks(Applied& result, const std::vector<Schema>& schemas) const {
    std::vector<std::string> absent;
    for (const auto& [id, says] : in_force_->document.plugins)
      if (std::ranges::none_of(schemas, [&id = id](const auto& schema) { return schema.id == id; })) absent.push_back(id);
    const auto add = [&](const std::string& remark) { result.text += cat(result.text.empty() ? "" : "; ", remark); };
    if (!absent.empty()) add(cat("kept, not checked, for plugins that are not installed: ", listed(absent)));
    if (in_force_->document.host != host_at_start_) add("what it says in \"host\" is taken at picketd's next start");
  }

  const Options options_;
  const Composer composer_{options_};
  const core::Clock& clock_;
  Store store_;
  std::mutex transaction_;     // held while a policy is applied; taken before mutex_
  mutable std::mutex mutex_;   // never held while a consumer is called
  State state_;
  std::optional<Verified> in_force_;  // written with both locks held
  HostSection host_at_start_;
  LocalFiles locals_{options_.local_dir};
  Given given_;
  Problems problems_;                                             // with what everyone has
  std::vector<Change> changes_;                                   // of the transaction under way
  std::vector<std::string> open_problems_;
  std::string reload_refusal_;                                    // of the last reload_local(), when it was refused
};

}  // namespace

Result<std::unique_ptr<Policy>> Policy::open(Options options, const core::Clock& clock) {
  if (options.threshold == 0) return fail(Code::invalid, "policy: a threshold of 0 signatures would trust anything");
  auto policy = std::make_unique<LayeredPolicy>(std::move(options), clock);
  PICKET_TRY(policy->load());
  return policy;
}

}  // namespace picket::policy
