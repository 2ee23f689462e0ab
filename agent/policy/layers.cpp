#include "policy/layers.hpp"

#include <algorithm>

namespace picket::policy {
namespace {

bool starts_with(const Path& path, const Path& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

void split_into(const json::object& settings, const Locks& locks, Path& at, json::object& unlocked, json::object& locked) {
  for (const auto& member : settings) {
    at.emplace_back(member.key());
    const bool below = std::ranges::any_of(locks.paths, [&](const Path& path) { return path.size() > at.size() && starts_with(path, at); });
    if (locks.covers(at)) {
      locked[member.key()] = member.value();
    } else if (below && member.value().is_object()) {
      json::object here_unlocked, here_locked;
      split_into(member.value().get_object(), locks, at, here_unlocked, here_locked);
      if (!here_locked.empty()) locked[member.key()] = std::move(here_locked);
      if (!here_unlocked.empty() || member.value().get_object().empty()) unlocked[member.key()] = std::move(here_unlocked);
    } else {
      unlocked[member.key()] = member.value();
    }
    at.pop_back();
  }
}

json::object prune(const json::object& local, const Locks& locks, Path& at) {
  json::object out;
  for (const auto& member : local) {
    at.emplace_back(member.key());
    const bool below = std::ranges::any_of(locks.paths, [&](const Path& path) { return path.size() > at.size() && starts_with(path, at); });
    if (!locks.covers(at)) {
      if (!below) {
        out[member.key()] = member.value();
      } else if (member.value().is_object()) {
        out[member.key()] = prune(member.value().get_object(), locks, at);
      }
    }
    at.pop_back();
  }
  return out;
}

void walk(const json::value& tree, Path& at, const std::function<void(const Path&, const json::value&)>& visit) {
  const auto* object = tree.if_object();
  if (object == nullptr || object->empty()) {
    if (!at.empty()) visit(at, tree);
    return;
  }
  for (const auto& member : *object) {
    at.emplace_back(member.key());
    walk(member.value(), at, visit);
    at.pop_back();
  }
}

}  // namespace

void merge(json::value& under, const json::value& over) {
  if (!under.is_object() || !over.is_object()) {
    under = over;
    return;
  }
  auto& object = under.get_object();
  for (const auto& member : over.get_object()) {
    const auto [place, is_new] = object.emplace(member.key(), nullptr);
    if (is_new) place->value() = member.value();
    else merge(place->value(), member.value());
  }
}

const json::value* find(const json::value& tree, const Path& path) {
  const json::value* at = &tree;
  for (const auto& part : path) {
    const auto* object = at->if_object();
    at = object == nullptr ? nullptr : object->if_contains(part);
    if (at == nullptr) return nullptr;
  }
  return at;
}

bool Locks::covers(const Path& path) const {
  return everything || std::ranges::any_of(paths, [&](const Path& locked) { return starts_with(path, locked); });
}

Split split(const json::object& settings, const Locks& locks) {
  Split out;
  Path at;
  split_into(settings, locks, at, out.unlocked, out.locked);
  return out;
}

json::object without_locked(const json::object& local, const Locks& locks) {
  if (locks.everything) return {};
  Path at;
  return prune(local, locks, at);
}

json::object skeleton(const json::object& tree) {
  json::object out;
  for (const auto& member : tree)
    if (member.value().is_object()) out[member.key()] = skeleton(member.value().get_object());
  return out;
}

void for_each_leaf(const json::value& tree, const std::function<void(const Path&, const json::value&)>& visit) {
  Path at;
  walk(tree, at, visit);
}

}  // namespace picket::policy
