// What the tests of sources have in common: one plugin in a FakeHost, requests to it, and an asker that gives credit as it takes bytes.
#pragma once

#include <gtest/gtest.h>

#include <picket/testing/fake_host.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "picket/source/v1/source.pb.h"
#include "support/temporary_folder.hpp"

namespace picket::plugin_tests {

using testing::Answered;
using support::TemporaryFolder;
using testing::FakeHost;

struct Fetched {
  Answered answer;
  source::v1::FetchReply reply;
};

class SourceRig : public ::testing::Test {
 protected:
  void load(const std::string& library, const std::string& id, const std::string& settings, const std::vector<std::string>& publishes = {}) {
    // As the manifest says; a request to the host beyond it is a violation. What sources publish are events.
    host_.allow({.publishes = publishes, .subscribes = std::vector<std::string>{},
                 .answers = std::vector<std::string>{"picket.source.fetch", "picket.source.probe"}, .asks = std::vector<std::string>{}, .events = publishes});
    ASSERT_TRUE(host_.load(library)) << host_.why();
    ASSERT_EQ(host_.create(id), PICKET_OK) << host_.error();
    ASSERT_EQ(host_.start(settings), PICKET_OK) << host_.error();
  }
  void TearDown() override {
    host_.stop();
    host_.destroy();
    EXPECT_EQ(host_.violations(), std::vector<std::string>{});
  }

  [[nodiscard]] static source::v1::FetchRequest fetch_of(const std::string& location, const std::string& path, const std::string& options = {}) {
    source::v1::FetchRequest request;
    request.mutable_source()->set_name("test");
    request.mutable_source()->set_location(location);
    request.mutable_source()->set_options_json(options);
    request.set_path(path);
    request.set_max_bytes(std::uint64_t{1} << 40);
    request.set_connect_timeout_ms(5000);
    request.set_stall_timeout_ms(5000);
    return request;
  }
  [[nodiscard]] std::uint64_t ask(const source::v1::FetchRequest& request, std::uint64_t credit) {
    return host_.request({.topic = "picket.source.fetch", .payload = request.SerializeAsString()}, credit);
  }
  // Its first bytes came. Not all that the credit allows: a plugin that writes before it was told of its credit finds a part of it, and waits for more.
  [[nodiscard]] bool begins(std::uint64_t id) {
    return host_.wait_for([&] { return !host_.answer(id).stream.empty(); });
  }
  // Waits for the answer; gives back what was taken once `credit / 2` of it is used.
  Fetched finish(std::uint64_t id, std::uint64_t credit) {
    std::uint64_t granted = credit;
    EXPECT_TRUE(host_.wait_for([&] {
      const Answered now = host_.answer(id);
      if (!now.done && now.credit < credit / 2 + 1 && granted < now.stream.size() + credit) {
        const std::uint64_t more = now.stream.size() + credit - granted;
        granted += more;
        host_.grant(id, more);
      }
      return now.done;
    }, std::chrono::seconds(60)));
    Fetched out{host_.answer(id), {}};
    if (out.answer.status == PICKET_OK) {
      EXPECT_TRUE(out.reply.ParseFromString(out.answer.payload));
      EXPECT_EQ(out.reply.sent(), out.answer.stream.size());
    }
    return out;
  }
  Fetched fetch(const source::v1::FetchRequest& request, std::uint64_t credit = 1u << 20) { return finish(ask(request, credit), credit); }
  Answered probe(const std::string& location, const std::string& options = {}) {
    source::v1::ProbeRequest request;
    request.mutable_source()->set_name("test");
    request.mutable_source()->set_location(location);
    request.mutable_source()->set_options_json(options);
    const auto id = host_.request({.topic = "picket.source.probe", .payload = request.SerializeAsString()});
    EXPECT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::seconds(30)));
    return host_.answer(id);
  }

  FakeHost host_;
};

// Bytes that show a shift, a swap or a repetition.
[[nodiscard]] inline std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 12345;
  for (char& c : out) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

}  // namespace picket::plugin_tests
