// All or nothing.
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "policy_fixture.hpp"

namespace picket::policy::test {
namespace {

class PolicyTransaction : public PolicyTest {
 protected:
  const std::string both_change = R"({"plugins":{"org.picket.scanner":{"settings":{"mode":"deep"}},"org.picket.update":{"settings":{"every_minutes":5}}}})";
};

TEST_F(PolicyTransaction, goes_back_when_one_does_not_take_it) {
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, scanner(R"({"max_mb":7})")), consumers).applied);
  const auto scanner_before = effective();
  consumers.applied.clear();
  consumers.on_apply = [](const std::string& id, const Effective& settings) {
    const bool bad = id == "org.picket.update" && settings.json.find(":5") != std::string::npos;
    return Outcome{id, settings.revision, bad ? 0 : settings.revision, !bad, bad ? "failed" : "healthy", bad ? "cannot run that often" : ""};
  };
  const auto result = policy->apply(signed_document(2, both_change), consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_EQ(result.policy_revision, 1U);
  EXPECT_NE(result.text.find("org.picket.update did not take the new settings: cannot run that often"), std::string::npos) << result.text;
  EXPECT_NE(result.text.find("went back"), std::string::npos);
  ASSERT_EQ(result.outcomes.size(), 2U);
  EXPECT_TRUE(result.outcomes[0].ok);
  EXPECT_FALSE(result.outcomes[1].ok);
  ASSERT_EQ(consumers.applied.size(), 4U) << "two offers, two ways back";
  EXPECT_EQ(consumers.last("org.picket.scanner"), scanner_before);
  EXPECT_EQ(consumers.last("org.picket.update"), R"({"every_minutes":60})");
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(consumers.applied[i].second.is_back, i >= 2) << i;
  EXPECT_GT(consumers.applied[2].second.revision, consumers.applied[0].second.revision) << "going back is a newer revision too";
  EXPECT_EQ(effective(), scanner_before);
  EXPECT_EQ(policy->effective("org.picket.scanner", scanner_schema)->revision, consumers.applied[2].second.revision);
  EXPECT_EQ(policy->shown().revision, 1U);

  // The same revision may be tried again: it never was in force.
  consumers.on_apply = nullptr;
  EXPECT_TRUE(policy->apply(signed_document(2, both_change), consumers).applied);
}

TEST_F(PolicyTransaction, a_refusal_keeps_no_secret_on_the_disk) {
  consumers.all.push_back({"org.x", R"({"type":"object","properties":{"password":{"type":"string"}}})"});
  open_and_start();
  const auto stored = [&] { return *read_file(options.state_dir / "state.json", 65536); };
  EXPECT_FALSE(policy->apply(signed_document(1, R"({"plugins":{"org.x":{"settings":{"password":4711}}}})"), consumers).applied);
  EXPECT_NE(stored().find("setting password: the value breaks the rule"), std::string::npos) << stored();
  EXPECT_EQ(stored().find("4711"), std::string::npos) << stored();
  consumers.on_apply = [](const std::string& id, const Effective& settings) {
    return Outcome{id, settings.revision, 0, false, "failed", "cannot reach ftp://me:4711@host/x"};
  };
  const auto result = policy->apply(signed_document(2, both_change), consumers);
  EXPECT_NE(result.text.find("cannot reach ftp://***@host/x"), std::string::npos) << result.text;
  EXPECT_EQ(cat(result.text, policy->shown().text, stored()).find("4711"), std::string::npos) << stored();
}

TEST_F(PolicyTransaction, stops_offering_at_the_first_failure) {
  open_and_start();
  consumers.on_apply = [](const std::string& id, const Effective& settings) { return Outcome{id, settings.revision, 0, false, "failed", "no"}; };
  const auto result = policy->apply(signed_document(1, both_change), consumers);
  EXPECT_EQ(result.outcomes.size(), 1U);
  EXPECT_NE(result.text.find("could not go back: no"), std::string::npos) << result.text;
}

TEST_F(PolicyTransaction, a_degraded_plugin_is_taken) {
  open_and_start();
  consumers.on_apply = [](const std::string& id, const Effective& settings) { return Outcome{id, settings.revision, settings.revision, true, "degraded", "half"}; };
  const auto result = policy->apply(signed_document(1, both_change), consumers);
  ASSERT_TRUE(result.applied);
  EXPECT_EQ(result.outcomes[0].health, "degraded");
}

TEST_F(PolicyTransaction, a_crash_while_offering_leaves_the_last_known_good) {
  open_and_start();
  ASSERT_TRUE(policy->apply(signed_document(1, scanner(R"({"max_mb":7})")), consumers).applied);
  const auto good = effective();
  bool looked = false;
  consumers.on_apply = [&](const std::string& id, const Effective& settings) {
    // What another process would find if this one died now.
    const auto copy = folder / "copy";
    std::filesystem::create_directories(copy);
    for (const auto& file : std::filesystem::directory_iterator(options.state_dir)) std::filesystem::copy_file(file, copy / file.path().filename());
    looked = true;
    return Outcome{id, settings.revision, settings.revision, true, "healthy", ""};
  };
  ASSERT_TRUE(policy->apply(signed_document(2, scanner(R"({"max_mb":8})")), consumers).applied);
  ASSERT_TRUE(looked);
  consumers.on_apply = nullptr;
  options.state_dir = folder / "copy";
  open();
  EXPECT_EQ(policy->shown().revision, 1U);
  EXPECT_NE(policy->shown().text.find("interrupted"), std::string::npos);
  EXPECT_EQ(effective(), good);
  EXPECT_TRUE(policy->apply(signed_document(2, scanner(R"({"max_mb":8})")), consumers).applied);
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyTransaction, a_plugin_that_starts_meanwhile_gets_what_is_offered_and_goes_back_too) {
  open_and_start();
  consumers.on_apply = [&](const std::string& id, const Effective& settings) {
    if (id == "org.picket.scanner" && settings.json.find("deep") != std::string::npos) {
      // The update engine is restarted by somebody while the scanner is being asked; from another thread, as in picketd.
      std::string seen;
      std::thread([&] { seen = effective("org.picket.update", consumers.all[1].schema_json); }).join();
      EXPECT_EQ(seen, R"({"every_minutes":5})");
      return Outcome{id, settings.revision, 0, false, "failed", "no"};
    }
    return Outcome{id, settings.revision, settings.revision, true, "healthy", ""};
  };
  const auto result = policy->apply(signed_document(1, both_change), consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_EQ(consumers.last("org.picket.update"), R"({"every_minutes":60})");
}

TEST_F(PolicyTransaction, a_full_disk_before_offering_bothers_nobody) {
  if (::geteuid() == 0) {
    // root writes anywhere: a folder in the candidate's place does the same.
    open_and_start();
    std::filesystem::create_directories(options.state_dir / "policy.candidate.dsse" / "x");
  } else {
    open_and_start();
    ::chmod(options.state_dir.c_str(), 0500);
  }
  const auto result = policy->apply(signed_document(1, both_change), consumers);
  ::chmod(options.state_dir.c_str(), 0700);
  EXPECT_FALSE(result.applied);
  EXPECT_NE(result.text.find("could not be stored"), std::string::npos) << result.text;
  EXPECT_TRUE(consumers.applied.empty());
  EXPECT_EQ(policy->shown().revision, 0U);
}

TEST_F(PolicyTransaction, goes_back_when_it_cannot_be_put_in_force) {
  open_and_start();
  consumers.on_apply = [&](const std::string& id, const Effective& settings) {
    std::error_code ignored;
    std::filesystem::create_directories(options.state_dir / "policy.dsse" / "x", ignored);  // rename will fail
    return Outcome{id, settings.revision, settings.revision, true, "healthy", ""};
  };
  const auto result = policy->apply(signed_document(1, both_change), consumers);
  EXPECT_FALSE(result.applied);
  EXPECT_NE(result.text.find("could not be put in force"), std::string::npos) << result.text;
  EXPECT_EQ(consumers.last("org.picket.update"), R"({"every_minutes":60})");
  EXPECT_FALSE(std::filesystem::exists(options.state_dir / "policy.candidate.dsse"));
}

}  // namespace
}  // namespace picket::policy::test
