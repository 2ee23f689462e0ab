// From layers to the settings of one plugin, and why each value is what it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/document.hpp"
#include "policy/local.hpp"
#include "policy/schema.hpp"

namespace picket::policy {

struct Composed {
  json::value settings;
  std::string local_problem;  // not empty: the local file was left out
};

// `plugin` nullptr: the policy says nothing. Code::invalid names setting, value, rule and layer. An empty `check` finds everything good.
[[nodiscard]] Result<Composed> compose(std::string_view id, const CompiledSchema& schema, const PluginPolicy* plugin, const LocalFile& local, const Check& check = {});

// What is the policy's own fault, whatever local values hide today: it would end the plugin once that file is gone. A wrong value, a lock on
// a setting that is not there. Values that only miss a local one beside them are good.
[[nodiscard]] Result<> check_alone(std::string_view id, const CompiledSchema& schema, const PluginPolicy& plugin);

// What is left of a policy without the settings that break a rule, and why each is left out; all of it where none does.
struct Fitting {
  PluginPolicy policy;
  std::vector<std::string> problems;
};
[[nodiscard]] Fitting what_fits(std::string_view id, const CompiledSchema& schema, const PluginPolicy& plugin, const LocalFile& local, const Check& check);

[[nodiscard]] Result<std::vector<Explained>> explain_settings(std::string_view id, const CompiledSchema& schema, const PluginPolicy* plugin,
                                                              const LocalFile& local, std::string_view setting, const Check& check = {});

}  // namespace picket::policy
