// The JSON Schema of a plugin's settings. It comes from a third party's manifest, so it is examined under limits before
// valijson sees it, and no schema makes checking slow, deep or endless.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "policy/names.hpp"

namespace picket::policy {

namespace json = boost::json;

struct Violation {
  Path path;         // of the value that is wrong; array elements as "[3]"
  std::string what;  // value and rule: `70000 breaks the rule "maximum": 65535`; no value of a secret (secrets.hpp)
};

// Draft 7, of an object. Not taken: patternProperties, references elsewhere than "#/definitions/NAME", recursive references,
// patterns that pattern.hpp does not know. "format" is only an annotation, as draft 7 allows.
class CompiledSchema {
 public:
  [[nodiscard]] static Result<CompiledSchema> compile(std::string_view schema_json);
  CompiledSchema(CompiledSchema&&) noexcept;
  CompiledSchema& operator=(CompiledSchema&&) noexcept;
  ~CompiledSchema();

  // The first rule that is broken, if any. At most so many values are looked at.
  [[nodiscard]] std::optional<Violation> check(const json::value& value, std::size_t max_nodes = 16384) const;

  // false: check() would call a setting of this name unknown, or what it stands in is never an object.
  [[nodiscard]] bool knows(const Path& setting) const;

  // As defaults.hpp says. false: too large.
  [[nodiscard]] bool fill_defaults(json::value& value) const;

 private:
  struct Parts;
  explicit CompiledSchema(std::unique_ptr<Parts> parts);
  [[nodiscard]] static Result<CompiledSchema> compile_text(std::string_view schema_json);
  std::unique_ptr<Parts> parts_;
};

}  // namespace picket::policy
