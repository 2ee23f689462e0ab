// A bus, and somebody who may ask everything on it.
#pragma once

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

#include "bus/caller.hpp"
#include "runtime/executor.hpp"

namespace picket::tasks {

class BusTest : public ::testing::Test {
 protected:
  ~BusTest() override {
    caller_.reset();
    executor_->stop(std::chrono::seconds(5));
    router_.reset();
  }

  std::unique_ptr<runtime::Executor> executor_ = runtime::Executor::make(2);
  std::unique_ptr<bus::Router> router_ = bus::Router::make(*executor_);
  std::unique_ptr<bus::Caller> caller_ = bus::Caller::attach(*router_, {.name = "test", .allow = {.asks = {"picket.*"}}}).value();
};

}  // namespace picket::tasks
