#include "plugin_host/topic_limits.hpp"

#include "bus/names.hpp"

namespace picket::plugin_host {

package::Manifest narrowed(package::Manifest manifest, const TopicLimits& limits) {
  auto& topics = manifest.topics;
  if (limits.publishes) std::erase_if(topics.publishes, [&](const auto& published) { return !bus::is_within_any(published.topic, *limits.publishes); });
  if (limits.answers) std::erase_if(topics.answers, [&](const auto& topic) { return !bus::is_within_any(topic, *limits.answers); });
  if (limits.subscribes) topics.subscribes = bus::intersect(topics.subscribes, *limits.subscribes);
  if (limits.asks) topics.asks = bus::intersect(topics.asks, *limits.asks);
  return manifest;
}

}  // namespace picket::plugin_host
