// The end of the host's own answers: they go before what they tell of.
#include "app/host_service.hpp"

#include <algorithm>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "bus/caller.hpp"
#include "core/clock.hpp"
#include "picket/host/v1/host.pb.h"
#include "runtime/executor.hpp"

namespace picket::app {
namespace {

using namespace std::chrono_literals;

class HostServiceTest : public testing::Test {
 protected:
  ~HostServiceTest() override {
    caller->reset();
    service.reset();
    executor->stop(5s);
  }
  Result<bus::Reply> ask() { return (*caller)->call({.topic = "picket.host.status", .to = {}, .content_type = {}, .payload = {}, .timeout = 20s}); }

  Config config;
  std::unique_ptr<runtime::Executor> executor = runtime::Executor::make(2);
  std::unique_ptr<bus::Router> router = bus::Router::make(*executor);
  runtime::Worker worker{"worker"};
  std::function<DeviceStatus()> device_status = [] { return DeviceStatus(); };
  std::unique_ptr<HostService> service = std::make_unique<HostService>(HostService::Parts{
      config, *router, core::system_clock(), worker, [] { return nullptr; }, [this] { return device_status(); }, [] { return selfupdate::SelfUpdate::Shown(); }});
  Result<std::unique_ptr<bus::Caller>> caller = bus::Caller::attach(*router, {.name = "asker", .allow = {.asks = {"picket.host.*"}}});
};

TEST_F(HostServiceTest, answers_nobody_any_more_once_detached_and_is_still_told_of_plugins) {
  ASSERT_TRUE(service->start());
  ASSERT_TRUE(ask());
  service->detach();
  const auto answer = ask();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
  plugin_host::Status plugin;
  plugin.id = "org.picket.test";
  service->plugin_changed(plugin);
}

TEST_F(HostServiceTest, is_not_detached_while_an_answer_still_looks_at_the_parts) {
  std::promise<void> began, may_end;
  device_status = [&] {
    began.set_value();
    may_end.get_future().wait();
    return DeviceStatus();
  };
  ASSERT_TRUE(service->start());
  auto answer = std::async(std::launch::async, [&] { return ask(); });
  began.get_future().wait();
  auto detached = std::async(std::launch::async, [&] { service->detach(); });
  EXPECT_EQ(detached.wait_for(50ms), std::future_status::timeout);
  may_end.set_value();
  detached.wait();
  EXPECT_EQ(answer.get().error().code, Code::unavailable);
}

TEST_F(HostServiceTest, hears_the_concerns_of_one_plugin_however_many_another_has) {
  ASSERT_TRUE(service->start());
  bus::Handler mute;
  const auto attach = [&](const char* name) { return router->attach({.name = name, .allow = {.publishes = {{"picket.device.concern", bus::Kind::state}}}}, mute).value(); };
  const auto loud = attach("com.example.loud"), quiet = attach("org.picket.quiet");
  host::v1::DeviceConcern concern;
  concern.set_level("Warning");
  for (int key = 0; key < 300; ++key) (void)loud->publish("picket.device.concern", std::to_string(key), "", concern.SerializeAsString());
  ASSERT_EQ(quiet->publish("picket.device.concern", "", "", concern.SerializeAsString()), bus::kOk);
  const auto is_heard = [&] {
    const auto all = service->concerns();
    return std::any_of(all.begin(), all.end(), [](const Concern& one) { return one.plugin == "org.picket.quiet"; });
  };
  for (int tries = 0; tries < 3000 && !is_heard(); ++tries) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(is_heard());
  EXPECT_LT(service->concerns().size(), 100U);
}

}  // namespace
}  // namespace picket::app
