// Files that the KSN would like to see, for devices in extended mode that ask about them. Under the broker's lock.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <unordered_map>

#include "entry.hpp"

namespace ksn_proxy {

class Wishes {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMost = 1000, kMostInReply = 10;
  static constexpr std::chrono::minutes kLasts{15};  // the KSN says it again when it is asked again

  [[nodiscard]] static bool is_of_file(const Key& key) { return key.kind == 1 && key.length == key.digest.size(); }

  // wire: a Wish as it stands in an AskReply, with tag and length.
  void add(const Key& key, std::string wire, Clock::time_point now) {
    if (known_.size() >= kMost) std::erase_if(known_, [now](const auto& one) { return one.second.until <= now; });
    if (known_.size() < kMost || known_.contains(std::string(key.view()))) known_[std::string(key.view())] = {std::move(wire), now + kLasts};
  }
  [[nodiscard]] bool empty() const { return known_.empty(); }
  // Empty: none.
  [[nodiscard]] std::string_view of(const Key& key, Clock::time_point now) const {
    const auto found = is_of_file(key) ? known_.find(std::string(key.view())) : known_.end();
    return found == known_.end() || found->second.until <= now ? std::string_view() : std::string_view(found->second.wire);
  }

 private:
  struct Wish {
    std::string wire;
    Clock::time_point until;
  };
  std::unordered_map<std::string, Wish> known_;
};

}  // namespace ksn_proxy
