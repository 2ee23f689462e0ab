#include "ksn/check.hpp"

#include <gmock/gmock.h>

namespace picket::ksn {
namespace {

constexpr std::size_t kBus = 131'072;

v1::CheckRequest request_of(int count, std::size_t path = 0) {
  v1::CheckRequest out;
  out.set_known_only(true);
  for (int i = 0; i < count; ++i) {
    auto& object = *out.add_objects();
    object.set_file_digest(std::string(28, 'd') + std::string(reinterpret_cast<const char*>(&i), 4));
    if (path > 0) object.set_path(std::string(path, '/'));
  }
  return out;
}

// What the bus and the client make of it: messages that are too long are none, an answer has so many bytes.
struct Client {
  std::size_t answer_bytes;
  std::vector<int> asked{};
  Result<v1::CheckReply> operator()(const v1::CheckRequest& some) {
    EXPECT_LE(some.ByteSizeLong(), kBus);
    EXPECT_TRUE(some.known_only());
    asked.push_back(some.objects_size());
    v1::CheckReply out;
    for (const auto& object : some.objects()) {
      auto& checked = *out.add_checked();
      checked.set_matched(object.file_digest());
      checked.set_why(std::string(answer_bytes, 'w'));
    }
    if (out.ByteSizeLong() > kBus) return fail(Code::too_large, "the answer is too long");
    out.set_status("status");
    return out;
  }
};

void expect_all(const v1::CheckRequest& request, const Result<v1::CheckReply>& reply) {
  ASSERT_TRUE(reply) << reply.error().message;
  ASSERT_EQ(reply->checked_size(), request.objects_size());
  for (int i = 0; i < request.objects_size(); ++i) ASSERT_EQ(reply->checked(i).matched(), request.objects(i).file_digest()) << i;
}

TEST(KsnCheck, asks_about_ten_thousand_objects_in_a_few_messages_and_keeps_their_order) {
  const auto request = request_of(10'000);
  Client client{10};
  const auto reply = check(request, std::ref(client));
  expect_all(request, reply);
  EXPECT_EQ(reply->status(), "status");
  EXPECT_EQ(client.asked.size(), 5U);
}

TEST(KsnCheck, keeps_within_the_bus_whatever_is_asked_and_answered) {
  for (const auto& [count, path, answer] : std::vector<std::tuple<int, std::size_t, std::size_t>>{{100, 4096, 10}, {3000, 100, 10}, {3000, 0, 500}, {3, 0, 60'000}, {1, 0, 10}, {0, 0, 10}}) {
    const auto request = request_of(count, path);
    Client client{answer};
    expect_all(request, check(request, std::ref(client)));
  }
}

TEST(KsnCheck, hands_on_what_one_object_cannot_help) {
  Client client{200'000};
  EXPECT_EQ(check(request_of(8), std::ref(client)).error().code, Code::too_large);
  EXPECT_THAT(client.asked, testing::ElementsAre(8, 4, 2, 1));
  EXPECT_EQ(check(request_of(2), [](const v1::CheckRequest&) -> Result<v1::CheckReply> { return fail(Code::unavailable, "nobody"); }).error().message, "nobody");
  EXPECT_EQ(check(request_of(2), [](const v1::CheckRequest&) -> Result<v1::CheckReply> { return v1::CheckReply(); }).error().code, Code::invalid);
}

}  // namespace
}  // namespace picket::ksn
