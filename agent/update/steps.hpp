#pragma once

#include <functional>
#include <string_view>

namespace picket::update {

// Told before every step that touches the disk: where a test kills the process.
class Steps {
 public:
  Steps() = default;
  explicit Steps(std::function<void(std::string_view)> hook) : hook_(std::move(hook)) {}
  void operator()(std::string_view step) const {
    if (hook_) hook_(step);
  }

 private:
  std::function<void(std::string_view)> hook_;
};

}  // namespace picket::update
