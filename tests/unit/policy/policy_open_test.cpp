// What is found at start is verified again; what cannot be trusted is not used, told, and kept.
#include "policy_fixture.hpp"
#include "support/leftovers.hpp"

namespace picket::policy::test {
namespace {

class PolicyOpen : public PolicyTest {
 protected:
  void SetUp() override {
    PolicyTest::SetUp();
    open_and_start();
    ASSERT_TRUE(policy->apply(signed_document(5, scanner(R"({"mode":"deep"})")), consumers).applied);
    file = options.state_dir / "policy.dsse";
  }
  void not_used(std::string_view why) {
    const auto before = read_file(file, 1u << 20);
    open();
    EXPECT_EQ(policy->shown().revision, 0U);
    EXPECT_NE(policy->shown().text.find("the stored policy is not used"), std::string::npos) << policy->shown().text;
    EXPECT_NE(policy->shown().text.find(why), std::string::npos) << policy->shown().text;
    EXPECT_NE(effective().find(R"("mode":"fast")"), std::string::npos);
    EXPECT_EQ(*before, *read_file(file, 1u << 20)) << "nothing is lost";
  }
  std::filesystem::path file;
};

TEST_F(PolicyOpen, begins_with_nothing) {
  std::filesystem::remove_all(options.state_dir);
  open();
  EXPECT_EQ(policy->shown().revision, 0U);
  EXPECT_EQ(policy->shown().text, "");
}

TEST_F(PolicyOpen, begins_without_what_a_write_that_was_cut_off_left) {
  support::leave_cut_off_write(file);
  open();
  EXPECT_EQ(policy->shown().revision, 5U);
  EXPECT_EQ(support::leftovers_below(options.state_dir), "");
}

TEST_F(PolicyOpen, does_not_use_a_damaged_policy) {
  ASSERT_TRUE(write_file_atomic(file, "{"));
  not_used("");
}

TEST_F(PolicyOpen, does_not_use_a_policy_of_a_key_that_is_trusted_no_more) {
  keys = {trust::PrivateKey::generate("ed25519")->public_key()};
  not_used("");
}

TEST_F(PolicyOpen, does_not_use_a_policy_for_somebody_else) {
  ASSERT_TRUE(policy->apply(signed_document(6, R"({"audience":{"groups":["office"]}})"), consumers).applied);
  options.identity.groups = {"lab"};
  not_used("groups");
}

TEST_F(PolicyOpen, does_not_use_an_older_policy_put_in_its_place) {
  ASSERT_TRUE(write_file_atomic(file, signed_document(4)));
  not_used("revision 5 was in force before");
  EXPECT_FALSE(policy->apply(signed_document(4), consumers).applied);
  EXPECT_TRUE(policy->apply(signed_document(5), consumers).applied) << "the lost one may come back";
}

TEST_F(PolicyOpen, says_that_its_counter_is_damaged_and_goes_on) {
  ASSERT_TRUE(write_file_atomic(options.state_dir / "state.json", "{\"highest_revision\":-1}"));
  open();
  EXPECT_EQ(policy->shown().revision, 5U);
  EXPECT_NE(policy->shown().text.find("damaged"), std::string::npos);
  EXPECT_FALSE(policy->apply(signed_document(4), consumers).applied) << "the policy in force still counts";
}

TEST_F(PolicyOpen, refuses_a_threshold_of_zero) {
  options.threshold = 0;
  EXPECT_FALSE(Policy::open(options, clock));
}

TEST_F(PolicyOpen, a_schema_that_a_plugins_update_brings_is_checked_against_the_policy_in_force) {
  const auto settings = policy->effective("org.picket.scanner", R"({"type":"object","properties":{"mode":{"enum":["fast"]}}})");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Code::invalid);
  EXPECT_NE(settings.error().message.find("from the policy"), std::string::npos);
  EXPECT_FALSE(policy->effective("org.picket.scanner", R"({"$ref":"#"})"));
}

}  // namespace
}  // namespace picket::policy::test
