#include "package/settings_schema.hpp"

#include <exception>

#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>

#include "trust/json.hpp"

namespace picket::package {

Result<> check_settings_schema(std::string_view schema_json) {
  PICKET_LET(value, trust::parse_strict(schema_json, {}, trust::Numbers::any));
  try {
    valijson::Schema compiled;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(valijson::adapters::BoostJsonAdapter(value), compiled);
    return {};
  } catch (const std::exception& e) {
    return fail(Code::invalid, cat("settings_schema: ", e.what()));
  }
}

}  // namespace picket::package
