// What waits for one KSN when another is set: no other gets it, and it may come back.
#include <algorithm>
#include <utility>

#include "outbox.hpp"

namespace ksn_client {
namespace {

bool share_one(const std::vector<std::string>& a, const std::vector<std::string>& b) { return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end(); }

}  // namespace

std::size_t Outbox::belong_to(std::vector<std::string> ksn, const Sums& sums) { return belong_to(std::move(ksn), sums, std::unique_lock(mutex_)); }

std::size_t Outbox::belong_to(std::vector<std::string> ksn, const Sums& sums, std::unique_lock<std::mutex> lock) {
  std::deque<std::string> lost;
  std::size_t out = 0;
  if (ksn == ksn_) return 0;
  if (!ksn_.empty() && !share_one(ksn_, ksn)) {
    if (limits_.extended) (void)add(sums);
    limits_.extended = false;
    out = statistics_.size() + wishes_.size();
    lost = put_aside(ksn);
  }
  ksn_ = std::move(ksn);
  if (!lost.empty() || !aside_.empty() || !statistics_.empty() || !wishes_.empty() || !period_counted_.empty() || !done_.empty()) save();
  lock.unlock();
  say_given_up("there is no room for all that waits for KSNs that were set before: what was left first", lost);
  return out;
}

// Under the lock. Takes up what waits for `ksn`. Says what there is no room for.
std::deque<std::string> Outbox::put_aside(const std::vector<std::string>& ksn) {
  const auto day = day_;
  const auto day_bytes = day_bytes_;  // whoever got them
  auto all = std::exchange(aside_, {});
  // One of which nothing waits, and that took nothing either, was a mistake: it needs no room.
  if (!statistics_.empty() || !wishes_.empty() || !period_counted_.empty() || !done_.empty()) all.push_back(record({}));
  const auto drop = [this] {
    forget();
    done_.clear();
    ksn_.clear();
  };
  drop();
  const auto back = std::find_if(all.begin(), all.end(), [&](const std::string& one) {
    if (take_up(one) && share_one(ksn_, ksn)) return true;
    drop();
    return false;
  });
  if (back != all.end()) all.erase(back);
  day_ = day;
  day_bytes_ = day_bytes;
  std::size_t bytes = 0;
  while (!all.empty() && (bytes += size_within(all.back())) <= kMostAsideBytes) {
    aside_.push_front(std::move(all.back()));
    all.pop_back();
  }
  return all;
}

void Outbox::say_given_up(std::string_view what, const std::deque<std::string>& records) const {
  if (const auto count = waiting_in(records); count > 0 && warn_)
    warn_(cat(what, " is given up (statistics and files: ", std::to_string(count), ")"));
}

}  // namespace ksn_client
