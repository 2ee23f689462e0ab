// A fetch from the nearest healthy point, and from the next when that one fails.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "curl_source/http_transfer.hpp"
#include "points.hpp"

namespace source_distribution_point {

struct Candidate {
  std::string name, why;
  curl_source::HttpTarget target;

  [[nodiscard]] const std::string& url() const { return target.bases.front().address; }  // a point has one, with its scheme
};

// What each point was told of this device's demand. Any thread.
class Announced {
 public:
  // At the begin of a check. True when this point should hear it (again); it then counts as told until forget().
  [[nodiscard]] bool claim(const std::string& url, const std::string& body, Points::Clock::time_point now);
  // The point lacks what this device came for, so it may have lost the wish. True once a check, and not in one that has told it.
  [[nodiscard]] bool claim_again(const std::string& url, const std::string& body, Points::Clock::time_point now);
  void forget(const std::string& url);

 private:
  struct Told {
    std::string body;
    Points::Clock::time_point at;
    bool may_repeat = false;
  };
  std::mutex mutex_;
  std::map<std::string, Told> told_;
};

class PointTransfer final : public curl_source::HttpTransfer {
 public:
  // `demand`: the body to announce, before the first file of a check and to a point that lacks a file; empty: nothing.
  PointTransfer(curl_source::Order order, std::vector<Candidate> candidates, std::shared_ptr<Points> points, std::shared_ptr<Announced> announced, std::string demand, std::string user_agent);

 protected:
  [[nodiscard]] curl_source::Outcome<> begin() override;
  void look_at_head() override;
  [[nodiscard]] Step judge(CURLcode code) override;
  [[nodiscard]] bool try_another(curl_source::Failure& failure) override;

 private:
  [[nodiscard]] curl_source::Outcome<> go_to_point();
  [[nodiscard]] curl_source::Outcome<> use_point();
  void announce();
  [[nodiscard]] bool is_absent_root(const curl_source::Failure& failure) const;
  void say_why();

  std::vector<Candidate> candidates_;
  std::size_t at_ = 0;
  const std::shared_ptr<Points> points_;
  const std::shared_ptr<Announced> announced_;
  const std::string demand_;
  bool announcing_ = false;
  std::optional<curl_source::Failure> lack_;   // while it is announced because of that
  bool told_again_ = false;                    // this point, by this transfer: once, whatever came of it
  std::string earlier_;  // what the points before this one failed of
  curl_source::List post_headers_;
};

}  // namespace source_distribution_point
