// A mirror over an upstream in memory, and a client that trusts nothing behind it.
#pragma once

#include "mirror.hpp"

#include <gtest/gtest.h>

#include "support/point_world.hpp"
#include "unit/plugins/source_rig.hpp"

namespace distribution_point {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using picket::plugin_tests::TemporaryFolder;
using picket::plugin_tests::pattern;
namespace support = picket::support;

class PointMirror : public ::testing::Test {
 protected:
  void SetUp() override {
    settings_.name = "here";
    settings_.agent_demand = false;
    settings_.grace = std::chrono::seconds(100);
    open();
  }
  void open() {
    mirror_.reset();
    store_.reset();
    auto store = Store::open(folder_.path() / "point");
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::make_unique<Store>(std::move(*store));
    mirror_ = std::make_unique<Mirror>(Mirror::Parts{*store_, upstream_, [this](auto catalogue) { served_ = std::move(catalogue); }, [this] { return now_; },
                                                     [this](std::string_view text) { log_.append(text).append("\n"); }, {"0123abcd", "here"}});
    ASSERT_TRUE(mirror_->serve_published());
  }
  void offer(const std::string& component, std::int64_t release, const std::string& variant = "full", std::size_t size = 100'000) {
    repository_.offer({.component = component, .variant = variant, .release = release, .single = pattern(size) + component + variant + std::to_string(release)});
  }
  void publish() {
    repository_.publish();
    upstream_.take(repository_);
  }
  v1::PointResult run(const Wishes& devices = {}) { return mirror_->run(settings_, devices, {}, {}, cancelled_); }
  void want(const std::string& component, const std::string& variant = "full") { settings_.components.push_back({component, variant}); }
  [[nodiscard]] Result<std::int64_t> seen(const std::string& component) {
    return support::CheckingClient(folder_.path() / cat("client", std::to_string(clients_++)), repository_.tuf.first_root(), support::read_folder(folder_.path() / "point/public"))
        .newest(component);
  }
  [[nodiscard]] std::size_t count(const std::string& part) const {
    std::size_t out = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator it(folder_.path() / "point" / part, error), end; !error && it != end; it.increment(error)) out += it->is_regular_file();
    return out;
  }

  TemporaryFolder folder_;
  support::UpdateRepository repository_;
  support::MapUpstream upstream_;
  MirrorSettings settings_;
  std::int64_t now_ = support::TufRepo::start + 3600;
  std::atomic<bool> cancelled_{false};
  std::string log_;
  std::shared_ptr<const Catalogue> served_;
  int clients_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Mirror> mirror_;
};

}  // namespace distribution_point
