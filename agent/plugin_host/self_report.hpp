// How a plugin says it is, on its two roads: with its settings (observed), and at any time (report). Neither takes back what the other said: a
// reload that went well must not hide that the disk is full. The worse one shows; of equals the newer.
#pragma once

#include <string>
#include <utility>

#include "plugin_host/plugin_host.hpp"

namespace picket::plugin_host {

class SelfReport {
 public:
  struct Said {
    Health health = Health::unknown;  // of the enumeration, a greater value is worse
    std::string text;
  };

  void observed(Health health, std::string text) { say(observed_, reported_, {health, std::move(text)}); }
  void reported(Health health, std::string text) { say(reported_, observed_, {health, std::move(text)}); }

  [[nodiscard]] const Said& shown() const { return shown_; }
  // Whether settings are good is the plugin's word on them alone: no policy is refused for a disk that is full.
  [[nodiscard]] const Said& of_settings() const { return observed_.health != Health::unknown ? observed_ : shown_; }

 private:
  void say(Said& road, const Said& other, Said said) {
    road = std::move(said);
    shown_ = road.health >= other.health ? road : other;
  }

  Said observed_, reported_, shown_;
};

}  // namespace picket::plugin_host
