#include "policy/plan.hpp"

namespace picket::policy {
namespace {

Result<Effective> settings_after(const Standing& standing, const std::string& id, const CompiledSchema& schema, const Document* candidate, LocalFiles* fresh) {
  const auto& local = (fresh != nullptr ? *fresh : standing.locals).of(id);
  auto made = candidate != nullptr ? standing.composer.with_candidate(id, schema, section(candidate, id), local)
                                   : standing.composer.in_force(id, schema, section(standing.in_force, id), local);
  if (!made) return fail(std::move(made).error());
  if (fresh != nullptr && !made->local_problem.empty()) return fail(Code::invalid, std::move(made->local_problem));
  return std::move(made->settings);
}

Result<Change> change_for(const Standing& standing, const Schema& consumer, const Document* candidate, LocalFiles* fresh) {
  auto schema = CompiledSchema::compile(consumer.schema_json);
  if (!schema) return fail(std::move(schema).error(), consumer.id);
  PICKET_LET(after, settings_after(standing, consumer.id, *schema, candidate, fresh));
  Change change;
  change.id = consumer.id;
  change.after = std::move(after);
  if (const auto given = standing.given.find(consumer.id); given != standing.given.end()) {
    change.before = given->second;
    change.has_before = true;
  } else if (auto before = standing.composer.in_force(consumer.id, *schema, section(standing.in_force, consumer.id), standing.locals.of(consumer.id))) {
    change.before = std::move(before->settings);
    change.has_before = true;
  }
  return change;
}

}  // namespace

Result<Plan> plan(const Standing& standing, const std::vector<Schema>& schemas, const Document* candidate, LocalFiles* fresh) {
  constexpr std::size_t most_shown = 5;
  Plan out;
  std::string errors;
  std::size_t count = 0;
  for (const auto& consumer : schemas) {
    auto change = change_for(standing, consumer, candidate, fresh);
    if (!change) {
      if (++count <= most_shown) errors += cat(errors.empty() ? "" : "; ", change.error().message);
      continue;
    }
    out.problems[consumer.id] = change->after.warnings;
    if (!change->has_before || !change->before.says_the_same(change->after)) out.changes.push_back(std::move(*change));
  }
  if (count > most_shown) errors += cat("; and ", std::to_string(count - most_shown), " more");
  if (count > 0) return fail(Code::invalid, std::move(errors));
  return out;
}

}  // namespace picket::policy
