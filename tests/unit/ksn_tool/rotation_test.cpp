#include "ksn/rotation.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include <stdlib.h>

#include "base/files.hpp"
#include "ksn/answers.hpp"
#include "ksn/provider.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "trust/json.hpp"

namespace picket::ksn_tool {
namespace {

namespace fs = std::filesystem;
namespace v1 = ksn::v1;
constexpr std::int64_t kNow = 1'795'305'600;

class KsnRotation : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "ksn_rotation_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    folder_.path = root_ + "/ksn";
    ksn_tool::Setup setup;
    setup.name = "example";
    setup.servers = {"https://127.0.0.1:1"};
    ASSERT_TRUE(set_up(folder_, setup, kNow));
  }
  void TearDown() override { fs::remove_all(root_); }

  [[nodiscard]] ksn::Provider provider() const {
    const auto key = trust::PublicKey::parse(trust::parse_strict(read_file(folder_.file("provider.pub.json"), 65536).value()).value().as_object()).value();
    return ksn::Provider::parse(read_file(folder_.file("provider.json"), 65536).value(), std::vector{key}).value();
  }
  // What the service says now, as a client that has this provider file sees it.
  [[nodiscard]] bool believes(const ksn::Provider& provider) const {
    v1::AskReply reply;
    reply.add_answers()->set_said("");
    const std::string digest(32, 'a');
    const std::vector<ksn::Question> asked{{v1::OBJECT_FILE, digest}};
    const auto key = trust::PrivateKey::from_pem(read_file(folder_.file("answers.key.pem"), 65536).value()).value();
    EXPECT_TRUE(ksn::seal(reply, asked, "example", true, kNow, key, false));
    return ksn::Verifier(provider.answer_keys, "example", true).verify(reply, asked, kNow).has_value();
  }
  [[nodiscard]] std::int64_t changed_at() const {
    return std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::to_sys(fs::last_write_time(folder_.file("answers.former.pub.json"))).time_since_epoch()).count();
  }

  std::string root_;
  Folder folder_;
};

TEST_F(KsnRotation, lets_clients_go_on_at_every_step) {
  const auto old_file = provider();
  const auto begun = begin_rotation(folder_, {}, kNow + 1);
  ASSERT_TRUE(begun) << begun.error().message;
  const auto both = provider();
  EXPECT_EQ(both.answer_keys.size(), 2u);
  EXPECT_EQ(both.answer_keys[1].key_id(), *begun);
  EXPECT_GT(both.created, old_file.created);
  EXPECT_EQ(both.servers, old_file.servers);
  EXPECT_EQ(both.certificate, old_file.certificate);
  EXPECT_TRUE(believes(old_file));
  EXPECT_TRUE(believes(both));
  EXPECT_EQ(fs::status(folder_.file("answers.next.key.pem")).permissions() & fs::perms(0077), fs::perms::none);

  const auto changed = change_key(folder_);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(*changed, *begun);
  EXPECT_FALSE(believes(old_file));
  EXPECT_TRUE(believes(both));
  EXPECT_EQ(provider().answer_keys.size(), 2u);
  EXPECT_FALSE(fs::exists(folder_.file("answers.next.key.pem")));

  const auto early = retire_key(folder_, {}, changed_at() + 80'000);
  EXPECT_EQ(early.error().code, Code::conflict);
  EXPECT_NE(early.error().message.find("for 2 h: wait"), std::string::npos) << early.error().message;
  const auto retired = retire_key(folder_, {}, changed_at() + 90'000);
  ASSERT_TRUE(retired) << retired.error().message;
  EXPECT_EQ(*retired, old_file.answer_keys[0].key_id());
  const auto last = provider();
  ASSERT_EQ(last.answer_keys.size(), 1u);
  EXPECT_EQ(last.answer_keys[0].key_id(), *begun);
  EXPECT_TRUE(believes(last));
  EXPECT_TRUE(begin_rotation(folder_, {}, kNow + 3));  // and again
}

TEST_F(KsnRotation, says_which_step_is_due) {
  EXPECT_EQ(change_key(folder_).error().message, "no rotation has begun: picket-ksn key rotate comes first");
  EXPECT_EQ(retire_key(folder_, {}, kNow).error().message, "there is no former key");
  ASSERT_TRUE(begin_rotation(folder_, {}, kNow));
  EXPECT_EQ(begin_rotation(folder_, {}, kNow).error().message, "a rotation has begun already: picket-ksn key change comes next");
  EXPECT_NE(retire_key(folder_, {}, kNow).error().message.find("picket-ksn key change comes first"), std::string::npos);
  ASSERT_TRUE(change_key(folder_));
  EXPECT_NE(begin_rotation(folder_, {}, kNow).error().message.find("picket-ksn key retire comes first"), std::string::npos);
  EXPECT_TRUE(retire_key(folder_, {{}, true}, changed_at()));
}

TEST_F(KsnRotation, takes_the_providers_key_from_where_it_is_kept) {
  fs::rename(folder_.file("provider.key.pem"), root_ + "/safe.pem");
  const auto without = begin_rotation(folder_, {}, kNow);
  EXPECT_EQ(without.error().code, Code::not_found);
  EXPECT_FALSE(fs::exists(folder_.file("answers.next.pub.json")));
  EXPECT_NE(begin_rotation(folder_, {folder_.file("answers.key.pem"), false}, kNow).error().message.find("signed by 0 of the trusted keys"), std::string::npos);
  EXPECT_TRUE(begin_rotation(folder_, {root_ + "/safe.pem", false}, kNow));
}

TEST_F(KsnRotation, goes_on_where_a_power_cut_ended_it) {
  const auto before = read_file(folder_.file("provider.json"), 65536).value();
  const auto key = begin_rotation(folder_, {}, kNow).value();
  ASSERT_TRUE(write_file_atomic(folder_.file("provider.json"), before));  // the keys were made, the file was not written
  EXPECT_EQ(begin_rotation(folder_, {}, kNow).value(), key);
  EXPECT_EQ(provider().answer_keys.size(), 2u);
  const auto next = read_file(folder_.file("answers.next.pub.json"), 65536).value();
  const auto former = read_file(folder_.file("answers.pub.json"), 65536).value();
  ASSERT_TRUE(change_key(folder_));
  // The private key had its place, the public one not yet.
  ASSERT_TRUE(write_file_atomic(folder_.file("answers.next.pub.json"), next));
  ASSERT_TRUE(write_file_atomic(folder_.file("answers.pub.json"), former));
  EXPECT_EQ(change_key(folder_).value(), key);
  EXPECT_EQ(read_file(folder_.file("answers.pub.json"), 65536).value(), next);
  EXPECT_EQ(read_file(folder_.file("answers.former.pub.json"), 65536).value(), former);
}

}  // namespace
}  // namespace picket::ksn_tool
