// A forwarder before a KSN of the test's own, with its messages in a folder of the test.
#pragma once

#include "forwarder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fake_ksn.hpp"
#include "support/server_process.hpp"

namespace picket::ksn_proxy_tests {

using namespace ::ksn_proxy;
using namespace std::chrono_literals;

class ForwarderTest : public ::testing::Test {
 protected:
  void open(Outbox::Limits limits = {}) {
    ForwarderSettings settings;
    settings.folder = folder_.path();
    settings.limits = limits;
    settings.pause = 10ms;
    settings.ksn = keys_;
    if (share_ != 0) settings.most_per_address = share_;
    auto started = Forwarder::start(settings, {ksn_, [this] { return ksn_.now.load(); }, [this](std::string_view text) {
                                                 const std::lock_guard lock(mutex_);
                                                 warnings_.emplace_back(text);
                                               },
                                               [](std::string_view licence, int& status) {
                                                 status = 403;
                                                 return licence == "blocked" ? ksn_server::refusal(v1::Refusal::LICENCE_BLOCKED, "the licence is blocked") : std::string();
                                               }});
    ASSERT_TRUE(started) << started.error().message;
    forwarder_ = std::move(*started);
  }
  Answered statistics(char id) {
    v1::StatisticsRequest request;
    request.mutable_asker()->set_licence(licence_);
    request.set_id(std::string(16, id));
    (*request.mutable_counters())["files"] = 7;
    Answered out;
    forwarder_->statistics(request.SerializeAsString(), peer_, out.reply());
    return out;
  }
  Answered content(const std::string& digest, const std::string& file, std::uint64_t offset, std::uint64_t bytes) {
    v1::ContentRequest request;
    request.mutable_asker()->set_licence(licence_);
    request.set_digest(digest);
    request.set_size(file.size());
    request.set_offset(offset);
    request.set_part(file.substr(offset, bytes));
    Answered out;
    forwarder_->content(request.SerializeAsString(), peer_, out.reply());
    return out;
  }
  // With room for five contents of store().
  void serve_with_little_room(const std::string& key) {
    forwarder_.reset();
    keys_ = {key};
    open({6000, 1000});
  }
  void store(unsigned first, unsigned count, int expected = 200) {
    const std::string file(1000, 'f');
    for (unsigned i = first; i < first + count; ++i) EXPECT_EQ(content(digest_of(i), file, 0, 1000).wait(), expected) << i;
  }
  [[nodiscard]] std::uintmax_t on_disk() const {
    std::uintmax_t out = 0;
    for (const auto& one : std::filesystem::recursive_directory_iterator(folder_.path()))
      if (one.path().extension() == ".messages" || one.path().extension() == ".damaged") out += one.file_size();
    return out;
  }
  template <class Condition>
  bool wait_for(Condition is_so) {
    for (const auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end; std::this_thread::yield())
      if (is_so()) return true;
    return false;
  }
  std::vector<std::string> warnings() {
    const std::lock_guard lock(mutex_);
    return warnings_;
  }
  std::string peer_ = "192.0.2.1", licence_;
  std::uint64_t share_ = 0;
  std::vector<std::string> keys_;
  FakeKsn ksn_;
  picket::support::ServerFolder folder_;
  std::mutex mutex_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Forwarder> forwarder_;
};

}  // namespace picket::ksn_proxy_tests
