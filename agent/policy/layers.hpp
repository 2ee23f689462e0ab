// Settings as trees of JSON: merging, locks, defaults. Later layers win; objects merge by member, arrays and scalars are replaced.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "policy/names.hpp"

namespace picket::policy {

namespace json = boost::json;

void merge(json::value& under, const json::value& over);

[[nodiscard]] const json::value* find(const json::value& tree, const Path& path);

// What a policy locks for one plugin: everything, or some settings with all that is below them.
struct Locks {
  bool everything = false;
  std::vector<Path> paths;

  [[nodiscard]] bool covers(const Path& path) const;  // the setting or something above it is locked
};

struct Split {
  json::object unlocked, locked;
};
[[nodiscard]] Split split(const json::object& settings, const Locks& locks);

// The local values that count: locked settings are gone, and also a local non-object that would replace an object above a locked
// setting. A lock on a setting that the policy gives no value thus locks the default.
[[nodiscard]] json::object without_locked(const json::object& local, const Locks& locks);

// Only the objects of a tree, without any value: where defaults below them apply.
[[nodiscard]] json::object skeleton(const json::object& tree);

// Every scalar, array and empty object, in the order of the tree.
void for_each_leaf(const json::value& tree, const std::function<void(const Path&, const json::value&)>& visit);

}  // namespace picket::policy
