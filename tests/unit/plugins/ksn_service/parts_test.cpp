#include <gtest/gtest.h>

#include <atomic>

#include "limiter.hpp"
#include "settings.hpp"
#include "workers.hpp"

namespace ksn_service {
namespace {

using namespace std::chrono_literals;

TEST(KsnLimiter, gives_a_burst_then_a_steady_rate) {
  Limiter limiter(60, 10);
  const Limiter::Clock::time_point start{};
  EXPECT_EQ(limiter.take("a", 10, start), 0u);
  EXPECT_EQ(limiter.take("a", 3, start), 3u);
  EXPECT_EQ(limiter.take("b", 10, start), 0u);
  EXPECT_EQ(limiter.take("a", 3, start + 3s), 0u);
  EXPECT_EQ(limiter.take("a", 1, start + 3s), 1u);
  EXPECT_EQ(limiter.take("a", 10, start + 1h), 0u);
  EXPECT_EQ(limiter.take("a", 1, start + 1h - 10s), 1u);  // a clock that goes back gives nothing
}

TEST(KsnLimiter, lets_a_large_batch_through_once_and_makes_up_for_it) {
  Limiter limiter(60, 10);
  const Limiter::Clock::time_point start{};
  EXPECT_EQ(limiter.take("a", 100, start), 0u);
  EXPECT_NE(limiter.take("a", 1, start + 60s), 0u);
  EXPECT_EQ(limiter.take("a", 1, start + 92s), 0u);
}

TEST(KsnLimiter, forgets_the_quiet_and_stays_bounded) {
  Limiter limiter(60, 10, 100);
  const Limiter::Clock::time_point start{};
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(limiter.take(std::to_string(i), 10, start), 0u);
  EXPECT_EQ(Limiter(0, 1).take("a", 1'000'000, start), 0u);
}

TEST(KsnLimiter, who_makes_names_up_costs_the_others_no_time) {
  Limiter limiter(60, 10, 50'000);
  const Limiter::Clock::time_point start{};
  const auto began = Limiter::Clock::now();
  for (int i = 0; i < 150'000; ++i) EXPECT_EQ(limiter.take(std::to_string(i), 10, start), 0u);
  EXPECT_LT(Limiter::Clock::now() - began, 20s) << "all names are looked at for each new one";
}

TEST(KsnServiceSettings, are_the_defaults_of_the_schema_or_refused_by_name) {
  const auto settings = parse_settings("{}");
  ASSERT_TRUE(settings);
  EXPECT_FALSE(settings->enabled);
  EXPECT_EQ(settings->port, 13112);
  EXPECT_EQ(settings->service.ttl.unknown, 900u);
  const auto why = [](const char* text) {
    const auto result = parse_settings(text);
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_EQ(why("[]"), "settings are not a JSON object");
  EXPECT_EQ(why(R"({"store":"relative"})"), "setting store: 'relative' is neither an absolute path nor redis:HOST:PORT,...");
  EXPECT_EQ(why(R"({"samples":{"folder":"here"}})"), "setting samples.folder: 'here' is no absolute path");
  EXPECT_EQ(why(R"({"ttl_seconds":{"trusted":9999999}})"), "setting ttl_seconds: more than 30 days");
  EXPECT_NE(why(R"({"proxies":["10.1.2.3/8"]})").find("setting proxies"), std::string::npos);
  EXPECT_EQ(parse_settings(R"({"limits":{"installation_per_minute":5},"ttl_seconds":{"unknown":7},"store":"redis:a:1"})")->service.installation_per_minute, 5u);
}

TEST(KsnWorkers, do_what_they_took_and_refuse_what_is_too_much) {
  std::mutex mutex;
  std::condition_variable news;
  int done = 0;
  bool open = false;
  Workers workers(1, 2);
  const auto job = [&] {
    std::unique_lock lock(mutex);
    news.wait(lock, [&] { return open; });
    ++done;
    news.notify_all();
  };
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += workers.add(job);
  EXPECT_GE(taken, 2);
  EXPECT_LE(taken, 3);
  std::unique_lock lock(mutex);
  open = true;
  news.notify_all();
  EXPECT_TRUE(news.wait_for(lock, 60s, [&] { return done == taken; }));
}

}  // namespace
}  // namespace ksn_service
