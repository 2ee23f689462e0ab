#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "support/update_world.hpp"

namespace picket::update {

using support::FakeConsumer;
using support::FakeSource;
using support::Offer;
using support::UpdateRepository;
using support::UpdateWorld;
using Trouble = support::FakeSource::Trouble;

class UpdateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_ = std::make_unique<UpdateWorld>(folder_);
    source_ = std::make_unique<FakeSource>(*world_->router, "source.a");
    consumer_ = std::make_unique<FakeConsumer>(*world_->router, "scanner");
    world_->demands = {{"rules", "databases", "scanner", true}};
    world_->write_root(repository_.tuf.first_root());
  }
  void TearDown() override {
    world_->close();
    consumer_.reset();
    second_.reset();
    source_.reset();
    world_.reset();
  }
  void publish(const Offer& offer) {
    last_path_ = repository_.offer(offer);
    repository_.publish();
    source_->serve(repository_);
    if (second_) second_->serve(repository_);
  }
  void open(std::string_view more = "") {
    auto opened = world_->open();
    ASSERT_TRUE(opened) << opened.error().message;
    std::vector<std::string> names{"source.a"};
    if (second_) names.emplace_back("source.b");
    auto taken = world_->settings(names, more);
    ASSERT_TRUE(taken) << taken.error().message;
  }
  void start_with_release_1() {
    publish(release(1));
    open();
    ASSERT_EQ(world_->run().result(), "ok");
  }
  void reopen(std::string_view more = "") {
    world_->close();
    open(more);
  }
  void add_second() { second_ = std::make_unique<FakeSource>(*world_->router, "source.b"); }
  [[nodiscard]] std::string rule() const { return world_->file_of("rules", "a.yar"); }
  static Offer release(std::int64_t number, std::string variant = "full") {
    Offer offer;
    offer.release = number;
    offer.variant = std::move(variant);
    offer.files = {{"a.yar", "rule of " + std::to_string(number) + " " + offer.variant}, {"sub/b.yar", "rule b"}};
    return offer;
  }
  [[nodiscard]] std::size_t sets_on_disk(std::string_view component = "rules") const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "data" / "sets" / component))
      if (entry.is_directory() && !entry.is_symlink()) ++count;
    return count;
  }

  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  UpdateRepository repository_;
  std::unique_ptr<UpdateWorld> world_;
  std::unique_ptr<FakeSource> source_, second_;
  std::unique_ptr<FakeConsumer> consumer_;
  std::string last_path_;
};

}  // namespace picket::update
