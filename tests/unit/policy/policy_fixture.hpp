// A policy with a key, consumers that do as they are told, and a clock that stands.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "policy/policy.hpp"
#include "support/temporary_folder.hpp"
#include "trust/dsse.hpp"
#include "trust/metadata.hpp"

namespace picket::policy::test {

namespace json = boost::json;

class FixedClock : public core::Clock {
 public:
  std::int64_t now = 1'800'000'000;
  std::int64_t wall_seconds() const override { return now; }
  std::chrono::milliseconds monotonic() const override { return {}; }
};

inline constexpr const char* scanner_schema = R"({"type":"object","additionalProperties":false,"properties":{
  "max_mb":{"type":"integer","minimum":1,"maximum":1000,"default":100},
  "mode":{"enum":["fast","deep"],"default":"fast"},
  "limits":{"type":"object","properties":{"cpu":{"type":"integer","maximum":100,"default":50},"io":{"type":"integer","default":10}}},
  "skip":{"type":"array","items":{"type":"string"},"default":[]}}})";

class FakeConsumers : public Consumers {
 public:
  std::vector<Schema> all{{"org.picket.scanner", scanner_schema}, {"org.picket.update", R"({"type":"object","properties":{"every_minutes":{"type":"integer","default":60}}})"}};
  std::function<Outcome(const std::string&, const Effective&)> on_apply;  // default: takes it
  std::vector<std::pair<std::string, Effective>> applied;

  std::vector<Schema> schemas() override { return all; }
  std::function<Result<>(const std::string&, const Topics&)> on_check;  // default: can do with them
  Result<> check(const std::string& id, const Topics& topics) override { return on_check ? on_check(id, topics) : Result<>(); }
  Outcome apply(const std::string& id, const Effective& settings) override {
    applied.emplace_back(id, settings);
    if (on_apply) return on_apply(id, settings);
    return {id, settings.revision, settings.revision, true, "healthy", ""};
  }
  std::string last(const std::string& id) const {
    for (auto it = applied.rbegin(); it != applied.rend(); ++it)
      if (it->first == id) return it->second.json;
    return {};
  }
};

class PolicyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options.state_dir = folder / "state";
    options.local_dir = folder / "local";
    options.identity = {"acme", "pc-1", {"office"}};
    options.keys = [this] { return keys; };
    std::filesystem::create_directories(options.local_dir);
  }

  void open() {
    auto opened = Policy::open(options, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    policy = std::move(*opened);
  }
  // As picketd does at its start: everyone has settings.
  void open_and_start() {
    open();
    for (const auto& schema : consumers.all) ASSERT_TRUE(policy->effective(schema.id, schema.schema_json));
  }

  // A document: `parts` are members that replace the usual ones.
  std::string document(std::uint64_t revision, std::string_view parts = "{}") const {
    json::object out{{"policy", 1}, {"revision", revision}, {"issued", trust::format_time(clock.now - 60)}, {"expires", trust::format_time(clock.now + 86400)}};
    const auto replaced = json::parse(parts);
    for (const auto& part : replaced.get_object()) out[part.key()] = part.value();
    return json::serialize(out);
  }
  std::string sign(std::string payload, const trust::PrivateKey& with, std::string type = "application/vnd.picket.policy+json") const {
    trust::DsseEnvelope envelope{std::move(type), std::move(payload), {}};
    EXPECT_TRUE(envelope.sign(with));
    return envelope.to_json();
  }
  std::string signed_document(std::uint64_t revision, std::string_view parts = "{}") const { return sign(document(revision, parts), key); }
  static std::string scanner(std::string_view settings, std::string_view locked = "[]") {
    return cat(R"({"plugins":{"org.picket.scanner":{"settings":)", settings, R"(,"locked":)", locked, "}}}");
  }
  void local(std::string_view id, std::string_view text) { ASSERT_TRUE(write_file_atomic(options.local_dir / cat(id, ".json"), text)); }
  std::string effective(const std::string& id = "org.picket.scanner", const std::string& schema = scanner_schema) {
    auto settings = policy->effective(id, schema);
    return settings ? settings->json : "error: " + settings.error().message;
  }

  const trust::PrivateKey key = *trust::PrivateKey::generate("ed25519");
  std::vector<trust::PublicKey> keys{key.public_key()};
  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder = temporary_.path();
  FixedClock clock;
  Options options;
  FakeConsumers consumers;
  std::unique_ptr<Policy> policy;
};

}  // namespace picket::policy::test
