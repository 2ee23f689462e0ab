// The settings of one consumer: what a document says of it, its local file, and what only it can check.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/compose.hpp"
#include "policy/policy.hpp"

namespace picket::policy {

// What a document says of one consumer; nullptr: nothing, or no document.
[[nodiscard]] const PluginPolicy* section(const Document* document, std::string_view id);

class Composer {
 public:
  explicit Composer(const Options& options) : options_(options) {}

  struct Made {
    Effective settings;
    std::string local_problem;  // not empty: the local file was left out
  };
  // Of a policy that is to be put in force: judged as a whole.
  [[nodiscard]] Result<Made> with_candidate(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local) const;
  // The policy in force is not judged any more: a part of the host takes what fits of it.
  [[nodiscard]] Result<Made> in_force(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local) const;
  [[nodiscard]] Result<std::vector<Explained>> explain(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local,
                                                       std::string_view setting) const;

 private:
  [[nodiscard]] bool is_host_part(std::string_view id) const { return options_.host_parts.contains(id); }
  [[nodiscard]] const Check& check_of(std::string_view id) const;
  [[nodiscard]] Result<Made> make(const std::string& id, const CompiledSchema& schema, const PluginPolicy* says, const LocalFile& local) const;

  const Options& options_;
};

}  // namespace picket::policy
