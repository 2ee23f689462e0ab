#pragma once

#include <picket/plugin.hpp>

#include <cstdint>
#include <string_view>

#include "choice.hpp"

namespace cloud_mode {

class CloudMode {
 public:
  explicit CloudMode(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop() {}
  void on_message(const picket::plugin::Message& message);
  void on_timer(std::uint64_t);

 private:
  bool publish();  // false: it may not

  picket::plugin::Host host_;
  bool cloud_mode_ = true;
  Ksn ksn_;
};

}  // namespace cloud_mode
