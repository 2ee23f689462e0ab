// What the tests of the scanner have in common: the plugin in a FakeHost, sets to activate, scans to read.
#pragma once

#include "unit/plugins/source_rig.hpp"

#include <algorithm>

#include "picket/component/v1/component.pb.h"
#include "picket/scan/v1/scan.pb.h"

namespace picket::plugin_tests {

namespace scan = picket::scan::v1;
namespace component = picket::component::v1;

inline constexpr const char* kData = PICKET_TEST_DATA;

struct Scanned {
  Answered answer;
  scan::ScanReply reply;
  std::vector<std::string> findings;  // "file: rule", sorted
  std::vector<std::string> skipped;   // "path: why", sorted
  std::vector<std::string> decided;   // "file: who decided: rule or threat", sorted; what is only suspected too
};

class ScannerRig : public ::testing::Test {
 protected:
  void SetUp() override {
    host_.allow({.publishes = std::vector<std::string>{"picket.scan.state"}, .subscribes = std::vector<std::string>{"picket.ksn.state"},
                 .answers = std::vector<std::string>{"picket.component.activate", "picket.scan.run"}, .asks = std::vector<std::string>{"picket.ksn.check"}});
    ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY)) << host_.why();
    ASSERT_EQ(host_.create("org.picket.scanner"), PICKET_OK) << host_.error();
    ASSERT_EQ(host_.start(R"({"threads":2,"ksn_timeout_ms":30000})"), PICKET_OK) << host_.error();
  }
  void TearDown() override {
    host_.stop();
    host_.destroy();
    EXPECT_EQ(host_.violations(), std::vector<std::string>{});
    EXPECT_LT(host_.longest_call(), std::chrono::seconds(15));  // half of what a question to KSN takes in vain
  }

  std::uint64_t ask_to_activate(const std::string& path, std::uint64_t release, const std::string& name = "yara-rules", const std::string& variant = "full") {
    component::ActivateRequest request;
    request.mutable_set()->set_component(name);
    request.mutable_set()->set_variant(variant);
    request.mutable_set()->set_release(release);
    request.mutable_set()->set_path(path);
    return host_.request({.topic = "picket.component.activate", .payload = request.SerializeAsString()});
  }
  Answered activate(const std::string& path, std::uint64_t release, const std::string& name = "yara-rules", const std::string& variant = "full") {
    const auto id = ask_to_activate(path, release, name, variant);
    EXPECT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::seconds(60)));
    return host_.answer(id);
  }
  std::string text_of(const Answered& answer) {
    component::ActivateReply reply;
    EXPECT_EQ(answer.status, PICKET_OK) << answer.payload;
    EXPECT_TRUE(reply.ParseFromString(answer.payload));
    return reply.text();
  }
  Answered activate_rule(const std::string& rule, std::uint64_t release = 1) {
    rules_.write("set" + std::to_string(release) + "/rule.yar", rule);
    return activate((rules_.path() / ("set" + std::to_string(release))).string(), release);
  }
  std::uint64_t ask_to_scan(const std::vector<std::string>& paths, std::uint64_t credit, std::uint64_t most = 0) {
    scan::ScanRequest request;
    for (const auto& path : paths) request.add_paths(path);
    request.set_max_file_bytes(most);
    return host_.request({.topic = "picket.scan.run", .payload = request.SerializeAsString()}, credit);
  }
  // FakeHost keeps the stream as one text; events begin with the tag of a one-of member of known length, so they can be told apart again.
  static std::vector<scan::ScanEvent> events_of(const std::string& stream) {
    std::vector<scan::ScanEvent> out;
    for (std::size_t at = 0; at < stream.size();) {
      std::size_t length = 0, i = at + 1;
      for (unsigned shift = 0; i < stream.size(); shift += 7) {
        const auto byte = static_cast<unsigned char>(stream[i++]);
        length |= std::size_t{byte & 0x7Fu} << shift;
        if (byte < 0x80) break;
      }
      scan::ScanEvent event;
      EXPECT_TRUE(event.ParseFromString(stream.substr(at, i + length - at)));
      out.push_back(event);
      at = i + length;
    }
    return out;
  }
  Scanned finish(std::uint64_t id, std::uint64_t credit) {
    std::uint64_t granted = credit;
    EXPECT_TRUE(host_.wait_for([&] {
      const Answered now = host_.answer(id);
      if (!now.done && granted < now.stream.size() + credit) {
        const std::uint64_t more = now.stream.size() + credit - granted;
        granted += more;
        host_.grant(id, more);
      }
      return now.done;
    }, std::chrono::seconds(60)));
    Scanned out{host_.answer(id), {}, {}, {}, {}};
    for (const auto& event : events_of(out.answer.stream)) {
      if (event.has_finding()) {
        const auto name = std::filesystem::path(event.finding().path()).filename().string();
        out.decided.push_back(name + ": " + event.finding().decided_by() + ": " + event.finding().rule());
        EXPECT_EQ(event.finding().suspected(), event.finding().decided_by() == "filter");
        if (!event.finding().suspected()) out.findings.push_back(name + ": " + event.finding().rule());
      }
      if (event.has_skipped()) out.skipped.push_back(event.skipped().path() + ": " + event.skipped().why());
    }
    std::sort(out.findings.begin(), out.findings.end());
    std::sort(out.skipped.begin(), out.skipped.end());
    std::sort(out.decided.begin(), out.decided.end());
    if (out.answer.status == PICKET_OK) {
      EXPECT_TRUE(out.reply.ParseFromString(out.answer.payload));
      EXPECT_EQ(out.reply.findings(), out.findings.size());
      EXPECT_EQ(out.reply.skipped(), out.skipped.size());
    }
    return out;
  }
  Scanned run(const std::vector<std::string>& paths, std::uint64_t most = 0) { return finish(ask_to_scan(paths, 1u << 20, most), 1u << 20); }
  scan::ScannerState state() {
    scan::ScannerState out;
    EXPECT_TRUE(out.ParseFromString(host_.published("picket.scan.state").back().payload));
    return out;
  }
  static std::string set(const std::string& name) { return std::string(kData) + "/yara-rules/" + name; }
  static std::string samples() { return std::string(kData) + "/samples"; }

  FakeHost host_;
  TemporaryFolder rules_, files_;
};

using Texts = std::vector<std::string>;

}  // namespace picket::plugin_tests
