#include "point_transfer.hpp"

#include <algorithm>
#include <utility>

#include "curl_source/options.hpp"
#include "curl_source/verdict.hpp"
#include "survey.hpp"

namespace source_distribution_point {
namespace {

using curl_source::Failure;
using curl_source::Outcome;

constexpr std::chrono::milliseconds kSurvey(1000);
constexpr std::chrono::hours kAnnounceAgain(12);
constexpr std::size_t kMostEarlier = 2000;

// The point did not do what a healthy one does. A file that it does not hold is no such thing.
bool is_illness(const Failure& failure) {
  return failure.status == PICKET_E_UNAVAILABLE || failure.status == PICKET_E_TIMEOUT || failure.status == PICKET_E_IO || failure.status == PICKET_E_INTERNAL;
}

}  // namespace

bool Announced::claim(const std::string& url, const std::string& body, Points::Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto& told = told_[url];
  told.may_repeat = told.body == body && now - told.at < kAnnounceAgain;
  if (told.may_repeat) return false;
  told = {body, now};
  return true;
}

bool Announced::claim_again(const std::string& url, const std::string& body, Points::Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto& told = told_[url];
  if (told.body == body && !told.may_repeat) return false;
  told = {body, now};
  return true;
}

void Announced::forget(const std::string& url) {
  const std::lock_guard lock(mutex_);
  told_.erase(url);
}

PointTransfer::PointTransfer(curl_source::Order order, std::vector<Candidate> candidates, std::shared_ptr<Points> points, std::shared_ptr<Announced> announced, std::string demand,
                             std::string user_agent)
    : HttpTransfer(std::move(order), candidates.front().target, std::move(user_agent), std::make_shared<curl_source::Shunned>()), candidates_(std::move(candidates)), points_(std::move(points)),
      announced_(std::move(announced)), demand_(std::move(demand)) {}

Outcome<> PointTransfer::begin() {
  std::vector<std::string> urls;
  for (const auto& candidate : candidates_) urls.push_back(candidate.url());
  if (points_->wants_measuring(urls, Points::Clock::now())) survey(urls, kSurvey, *points_);
  const auto now = Points::Clock::now();
  std::ranges::stable_sort(candidates_, [&](const Candidate& a, const Candidate& b) { return points_->comes_before(a.url(), b.url(), now); });
  return go_to_point();
}

Outcome<> PointTransfer::use_point() {
  set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  if (auto moved = use(candidates_[at_].target); !moved) return moved;
  set(CURLOPT_HTTPGET, 1L);
  if (order().probe) set(CURLOPT_NOBODY, 1L);
  return {};
}

Outcome<> PointTransfer::go_to_point() {
  told_again_ = false;
  if (auto moved = use_point(); !moved) return moved;
  const bool begins = order().request.path() == "metadata/timestamp.json";  // what every check asks for
  if (begins && !order().probe && !demand_.empty() && announced_->claim(candidates_[at_].url(), demand_, Points::Clock::now())) announce();
  say_why();
  return {};
}

void PointTransfer::announce() {
  announcing_ = true;
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, demand_.c_str());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(demand_.size()));
  set(CURLOPT_RANGE, static_cast<const char*>(nullptr));
  post_headers_.reset(::curl_slist_append(::curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:"));
  set(CURLOPT_HTTPHEADER, post_headers_.get());
  go_to(candidates_[at_].url() + "v1/demand");
}

void PointTransfer::say_why() {
  if (at_ == 0 && order().request.path() != "metadata/timestamp.json") return;  // once for each check, and whenever it is not the first choice
  const auto& candidate = candidates_[at_];
  const auto distance = points_->distance(candidate.url());
  note("point " + candidate.name + " (" + candidate.why + "), " + (at_ == 0 ? "the best" : "number " + std::to_string(at_ + 1)) + " of " + std::to_string(candidates_.size()) +
       (distance ? ", " + std::to_string(distance->count()) + " ms away" : std::string()));
}

void PointTransfer::look_at_head() {
  if (!announcing_) HttpTransfer::look_at_head();
}

curl_source::Transfer::Step PointTransfer::judge(CURLcode code) {
  const auto& base = candidates_[at_].url();
  if (!announcing_) {
    const Step step = HttpTransfer::judge(code);
    if (step == Step::done && code == CURLE_OK) points_->worked(base, Points::Clock::now());
    return step;
  }
  announcing_ = false;
  if (code != CURLE_OK) {
    announced_->forget(base);
    if (lack_) {
      refuse(*std::exchange(lack_, std::nullopt));
      return Step::done;
    }
    refuse(curl_source::failure_of(code, address(), curl_text(code), false));
    return Step::done;
  }
  long status = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    // It may still serve what others asked for. 5xx: it may listen later.
    if (status >= 500) announced_->forget(base);
    note("point " + candidates_[at_].name + " does not take the wishes of this device: HTTP " + std::to_string(status));
  }
  if (lack_) {  // the file does not come by saying so; the next download of the point brings it
    refuse(*std::exchange(lack_, std::nullopt));
    return Step::done;
  }
  if (auto back = use_point(); !back) {
    refuse(back.error());
    return Step::done;
  }
  return Step::again;
}

// That a next root does not exist is an answer; asking all points for it would be asking in vain at each check.
bool PointTransfer::is_absent_root(const Failure& failure) const { return failure.status == PICKET_E_NOT_FOUND && order().request.path().ends_with(".root.json"); }

bool PointTransfer::try_another(Failure& failure) {
  const auto& base = candidates_[at_].url();
  if (is_illness(failure)) points_->failed(base, Points::Clock::now());
  if (announcing_) announced_->forget(base);
  announcing_ = false;
  if (lack_) failure = *std::exchange(lack_, std::nullopt);
  else if (failure.status == PICKET_E_NOT_FOUND && !is_absent_root(failure) && !order().probe && !demand_.empty() && !told_again_ && announced_->claim_again(base, demand_, Points::Clock::now()) && use_point()) {
    told_again_ = true;
    lack_ = failure;
    note("point " + candidates_[at_].name + " lacks what this device came for, so it is told once more what is needed");
    announce();
    return true;
  }
  if (is_absent_root(failure) || failure.status == PICKET_E_INVALID || at_ + 1 >= candidates_.size() || !may_go_elsewhere()) {
    failure.text = earlier_ + failure.text;
    return false;
  }
  note("point " + candidates_[at_].name + (taken() > 0 ? " failed in the middle, and the next one goes on at byte " + std::to_string(position()) + ": " : " is passed over: ") + failure.text);
  if (earlier_.size() < kMostEarlier) earlier_ += failure.text + "; ";
  ++at_;
  if (auto gone = go_to_point(); !gone) return false;
  return true;
}

}  // namespace source_distribution_point
