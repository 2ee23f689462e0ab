// A manifest's settings_schema as the host reads it; the author's tools read it by the same rules.
#pragma once

#include <memory>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.hpp"

namespace valijson {
class Schema;
}

namespace picket::package {

namespace json = boost::json;

// Draft 7, of an object. Not taken: patternProperties, references elsewhere than "#/definitions/NAME", recursive references,
// patterns that pattern.hpp does not know. "format" is only an annotation, as draft 7 allows.
struct SettingsSchema {
  json::value original;  // with its defaults
  json::value safe;      // what valijson got
  std::shared_ptr<const valijson::Schema> compiled;

  [[nodiscard]] static Result<SettingsSchema> compile(std::string_view schema_json);
};

}  // namespace picket::package
