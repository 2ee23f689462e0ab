#include "licences.hpp"

namespace ksn_proxy {

Licence* Licences::get(std::string_view id, Clock::time_point now) {
  if (const auto found = known_.find(id); found != known_.end()) return &found->second;
  if (known_.size() >= most_) {
    // Those of which nothing is known any more; if there are none, of the refused ones: guessing licences must not push the good ones out.
    for (const bool also_refused : {false, true}) {
      for (auto it = known_.begin(); it != known_.end();) {
        const auto& one = it->second;
        const bool goes = !one.is_busy() && one.accepted_until <= now && (also_refused || one.refused_until <= now);
        it = goes ? known_.erase(it) : std::next(it);
      }
      if (known_.size() < most_) break;
    }
    if (known_.size() >= most_) return nullptr;
  }
  auto& made = known_[std::string(id)];
  made.id = id;
  return &made;
}

}  // namespace ksn_proxy
