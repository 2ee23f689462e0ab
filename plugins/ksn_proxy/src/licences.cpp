#include "licences.hpp"

namespace ksn_proxy {

Licence* Licences::get(std::string_view id, Clock::time_point now) {
  if (const auto found = known_.find(id); found != known_.end()) return &found->second;
  if (known_.size() >= most_) {
    // Those of which nothing is known; if there are none, of the refused ones, and then those that were good long ago: guessing licences must not push
    // the good ones out.
    enum { never_heard_of, also_refused, also_good_once };
    for (const auto round : {never_heard_of, also_refused, also_good_once}) {
      for (auto it = known_.begin(); it != known_.end();) {
        const auto& one = it->second;
        const bool goes = !one.is_busy() && one.accepted_until <= now && (round >= also_refused || one.refused_until <= now) && (round >= also_good_once || !one.is_known());
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

Standings Licences::standings() const {
  Standings out;
  for (const auto& [id, licence] : known_)
    if (licence.is_known()) out.emplace_back(id, licence);
  return out;
}

}  // namespace ksn_proxy
