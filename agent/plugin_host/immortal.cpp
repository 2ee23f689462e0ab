#include "plugin_host/immortal.hpp"

#include <mutex>
#include <utility>
#include <vector>

namespace picket::plugin_host {

void keep_forever(std::shared_ptr<void> thing) {
  // The one deliberate exception from "no globals": a loaded library is a global of the process already.
  static std::mutex mutex;
  static auto& things = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  things.push_back(std::move(thing));
}

}  // namespace picket::plugin_host
