// The scanner with digest databases, and a KSN of the test's making.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "digests/make/collection.hpp"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/state.pb.h"
#include "unit/plugins/scanner_rig.hpp"

namespace picket::plugin_tests {

namespace ksn = picket::ksn::v1;
using digests::Verdict;

class ScannerDigestsRig : public ScannerRig {
 protected:
  void SetUp() override {
    ScannerRig::SetUp();
    text_of(activate_rule("rule marked { meta: description = \"holds the mark\" strings: $a = \"THE-MARK\" condition: $a }"));
  }

  static digests::Sha256 sha256_of(const std::string& content) {
    const auto bytes = *from_hex(sha256_hex(content));
    digests::Sha256 out{};
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(out.data()));
    return out;
  }
  struct Listed {
    std::string content;
    Verdict verdict = Verdict::untrusted;
    std::string name = "Evil", category = "trojan";
  };
  // Makes a set of that variant and activates it.
  Answered activate_digests(const std::string& variant, const std::vector<Listed>& list, std::uint64_t release = 7) {
    digests::Collection collection;
    for (const auto& each : list) EXPECT_TRUE(collection.add(sha256_of(each.content), each.verdict, each.category, each.name));
    const auto folder = rules_.path() / ("digests-" + variant + std::to_string(release));
    std::filesystem::create_directories(folder);
    const auto written = variant == "light" ? collection.write_light(folder / digests::kLightName) : collection.write_full(folder / digests::kFullName);
    EXPECT_TRUE(written) << written.error().message;
    return activate(folder.string(), release, "digests", variant);
  }

  void say_ksn(bool in_use, const std::string& text, const std::string& status = "Enabled", bool knows = false) {
    ksn::KsnState state;
    state.set_in_use(in_use);
    state.set_knows(knows);
    state.set_text(text);
    state.set_status(status);
    host_.keep({.topic = "picket.ksn.state", .payload = state.SerializeAsString()});
  }
  // From now on KSN answers from `known_`, and knows nothing else. Where nobody outside may be asked, all that is known is in its client's cache.
  void answer_ksn() {
    host_.when_asked("picket.ksn.check", [this](const picket::testing::Asked& asked) -> std::optional<picket::testing::Reply> {
      ksn::CheckRequest request;
      EXPECT_TRUE(request.ParseFromString(asked.message.payload));
      const auto by = batches_.empty() ? from_ : later_.value_or(from_);
      batches_.push_back(request.objects_size());
      ksn::CheckReply reply;
      for (const auto& object : request.objects()) {
        EXPECT_EQ(object.file_digest().size(), 32u);
        const auto found = known_.find(object.file_digest());
        const auto from = !request.known_only() ? by : found == known_.end() ? ksn::Checked::NOBODY : ksn::Checked::CACHE;
        if (!request.known_only()) asked_.insert(object.file_digest());
        paths_.insert(object.path());
        auto& checked = *reply.add_checked();
        checked.set_from(from);
        if (from == ksn::Checked::NOBODY || from == ksn::Checked::LOCAL) {
          checked.set_why(from == ksn::Checked::NOBODY ? "no network" : "excluded by the administrator: not asked");
          continue;
        }
        checked.set_ksn("Global KSN");
        if (found != known_.end()) {
          checked.mutable_facts()->set_verdict(found->second);
          checked.mutable_facts()->set_threat("Trojan.Test");
          checked.mutable_facts()->set_category("malware");
        }
      }
      return picket::testing::Reply{.payload = reply.SerializeAsString()};
    });
    say_ksn(true, "Enabled (Global)");
  }
  void teach_ksn(const std::string& content, ksn::Verdict verdict) {
    const auto digest = sha256_of(content);
    known_[std::string(reinterpret_cast<const char*>(digest.data()), digest.size())] = verdict;
  }
  bool was_asked(const std::string& content) {
    const auto digest = sha256_of(content);
    return asked_.contains(std::string(reinterpret_cast<const char*>(digest.data()), digest.size()));
  }
  Scanned scan_files() { return run({files_.path().string()}); }

  std::map<std::string, ksn::Verdict> known_;
  std::set<std::string> asked_;
  std::set<std::string> paths_;
  std::vector<int> batches_;
  ksn::Checked::From from_ = ksn::Checked::SERVER;  // LOCAL: all is excluded
  std::optional<ksn::Checked::From> later_;         // of all batches but the first
};

}  // namespace picket::plugin_tests
