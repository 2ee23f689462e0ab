// The JSON Schema of a plugin's settings, and values held against it. It comes from a third party's manifest, so it was examined
// under limits (package/settings_schema.hpp), and no schema makes checking slow, deep or endless.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "package/settings_schema.hpp"
#include "policy/names.hpp"

namespace picket::policy {

namespace json = boost::json;

struct Violation {
  Path path;         // of the value that is wrong; array elements as "[3]"
  std::string what;  // value and rule: `70000 breaks the rule "maximum": 65535`; no value of a secret (secrets.hpp)
};

class CompiledSchema {
 public:
  [[nodiscard]] static Result<CompiledSchema> compile(std::string_view schema_json);

  // The first rule that is broken, if any. At most so many values are looked at.
  [[nodiscard]] std::optional<Violation> check(const json::value& value, std::size_t max_nodes = 16384) const;

  // false: check() would call a setting of this name unknown, or what it stands in is never an object.
  [[nodiscard]] bool knows(const Path& setting) const;

  // As defaults.hpp says. false: too large.
  [[nodiscard]] bool fill_defaults(json::value& value) const;

 private:
  explicit CompiledSchema(package::SettingsSchema schema);
  package::SettingsSchema schema_;
};

}  // namespace picket::policy
