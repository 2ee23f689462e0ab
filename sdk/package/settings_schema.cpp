#include "package/settings_schema.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// valijson 1.0 is not clean under our warnings; it comes from the system's include folder.
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/constraint_builder.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "package/pattern.hpp"
#include "package/schema_examine.hpp"
#include "trust/json.hpp"

namespace picket::package {
namespace {

constexpr std::size_t max_schema = 256u << 10;

// "pattern" for valijson, matched by our engine.
class PatternConstraint final : public valijson::constraints::PolyConstraint {
 public:
  explicit PatternConstraint(Pattern pattern) : pattern_(std::move(pattern)) {}

  bool validate(const valijson::adapters::Adapter& target, const std::vector<std::string>& context, valijson::ValidationResults* results) const override {
    if (!target.isString() || pattern_.matches(target.asString())) return true;
    if (results != nullptr) results->pushError(context, "'pattern' constraint");
    return false;
  }

 private:
  valijson::constraints::Constraint* cloneInto(void* place) const override { return new (place) PatternConstraint(*this); }
  std::size_t sizeOf() const override { return sizeof(PatternConstraint); }
  Pattern pattern_;
};

class PatternBuilder final : public valijson::ConstraintBuilder {
 public:
  valijson::constraints::Constraint* make(const valijson::adapters::Adapter& value) const override {
    auto pattern = Pattern::compile(value.asString());  // examined before: compiles
    if (!pattern) throw std::runtime_error(pattern.error().message);
    return new PatternConstraint(std::move(*pattern));
  }
};

}  // namespace

Result<SettingsSchema> SettingsSchema::compile(std::string_view schema_json) {
  if (schema_json.size() > max_schema) return fail(Code::too_large, "settings schema: more than 256 KiB");
  auto parsed = trust::parse_strict(schema_json, {}, trust::Numbers::any);
  if (!parsed) return fail(std::move(parsed).error(), "settings schema");
  SettingsSchema out{*parsed, std::move(*parsed), nullptr};
  if (auto safe = make_safe(out.safe); !safe) return fail(std::move(safe).error(), "settings schema");
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.addConstraintBuilder(pattern_keyword, new PatternBuilder);  // owned by the parser
    auto compiled = std::make_shared<valijson::Schema>();
    parser.populateSchema(valijson::adapters::BoostJsonAdapter(out.safe), *compiled);
    out.compiled = std::move(compiled);
  } catch (const std::exception& error) {
    return fail(Code::invalid, cat("settings schema: ", error.what()));
  }
  return out;
}

std::optional<BrokenRule> SettingsSchema::check(const json::value& settings) const {
  try {
    valijson::ValidationResults results;
    if (valijson::Validator().validate(*compiled, valijson::adapters::BoostJsonAdapter(settings), &results)) return std::nullopt;
    valijson::ValidationResults::Error first;
    if (!results.popError(first)) return BrokenRule{{}, "does not fit the schema"};
    return BrokenRule{std::move(first.context), std::move(first.description)};
  } catch (const std::exception& error) {
    return BrokenRule{{}, cat("could not be checked: ", error.what())};
  }
}

}  // namespace picket::package
