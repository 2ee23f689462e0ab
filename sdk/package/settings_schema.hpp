// A manifest's settings_schema as the host reads it; the author's tools read it by the same rules.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/result.hpp"

namespace valijson {
class Schema;
}

namespace picket::package {

namespace json = boost::json;

// What a value breaks, in valijson's words: where ("<root>", "[limits]", "[0]") and which rule.
struct BrokenRule {
  std::vector<std::string> where;
  std::string rule;
};

// Draft 7, of an object. Not taken: patternProperties, references elsewhere than "#/definitions/NAME", recursive references,
// patterns that pattern.hpp does not know. "format" is only an annotation, as draft 7 allows.
struct SettingsSchema {
  json::value original;  // with its defaults
  json::value safe;      // what valijson got
  std::shared_ptr<const valijson::Schema> compiled;

  [[nodiscard]] static Result<SettingsSchema> compile(std::string_view schema_json);

  // The first rule that is broken, if any.
  [[nodiscard]] std::optional<BrokenRule> check(const json::value& settings) const;
};

}  // namespace picket::package
