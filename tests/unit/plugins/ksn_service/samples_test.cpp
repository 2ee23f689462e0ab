#include "fixture.hpp"

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "ksn/limits.hpp"

namespace ksn_service::test {
namespace {

class KsnServiceSamples : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    settings_.samples = {folder_ + "/samples", 10'000, 5'000, true, 0};
  }
  static std::string sha256(std::string_view bytes) { return *picket::from_hex(picket::sha256_hex(bytes)); }
  static v1::ContentRequest part(const std::string& file, std::uint64_t offset, std::uint64_t bytes) {
    v1::ContentRequest out;
    *out.mutable_asker() = asker();
    out.mutable_asker()->set_extended(true);
    out.set_digest(sha256(file));
    out.set_size(file.size());
    out.set_offset(offset);
    out.set_part(file.substr(offset, bytes));
    return out;
  }
  v1::ContentReply sent(const v1::ContentRequest& request) {
    const auto response = post("/ksn/v1/content", request);
    v1::ContentReply out;
    EXPECT_EQ(response.status, 200) << refusal(response).text();
    EXPECT_TRUE(out.ParseFromString(response.body));
    return out;
  }
};

TEST_F(KsnServiceSamples, wishes_for_unknown_files_of_extended_mode_only) {
  auto request = asking({digest_of(1), digest_of(700)});
  EXPECT_EQ(asked(request).wishes_size(), 0);
  request.mutable_asker()->set_extended(true);
  const auto reply = asked(request);
  ASSERT_EQ(reply.wishes_size(), 1);
  EXPECT_EQ(reply.wishes(0).digest(), digest_of(700));
  EXPECT_EQ(answers(request, reply).size(), 2u);
}

TEST_F(KsnServiceSamples, takes_a_file_in_parts_and_goes_on_after_a_break) {
  const auto file = picket::random_bytes(3000);
  EXPECT_EQ(sent(part(file, 0, 0)).held(), 0u);
  EXPECT_EQ(sent(part(file, 0, 1000)).held(), 1000u);
  EXPECT_EQ(sent(part(file, 0, 1000)).held(), 1000u);     // twice: nothing is doubled
  EXPECT_EQ(sent(part(file, 2000, 1000)).held(), 1000u);  // a gap: go on from 1000
  service_.reset();                                       // the service starts again
  EXPECT_EQ(sent(part(file, 0, 0)).held(), 1000u);
  EXPECT_FALSE(sent(part(file, 1000, 1000)).complete());
  EXPECT_TRUE(sent(part(file, 2000, 1000)).complete());
  EXPECT_TRUE(sent(part(file, 0, 0)).complete());
  EXPECT_EQ(picket::read_file(folder_ + "/samples/" + picket::sha256_hex(file) + ".sample", 10'000).value(), file);
  EXPECT_EQ(service().counters().at("samples"), 1u);
  auto request = asking({sha256(file)});
  request.mutable_asker()->set_extended(true);
  EXPECT_EQ(asked(request).wishes_size(), 0);  // it is here
}

TEST_F(KsnServiceSamples, wishes_for_the_beginning_of_a_file_and_takes_no_more) {
  settings_.samples.wish_bytes = 2048;
  const auto file = picket::random_bytes(100'000);  // more than it takes of whole files
  auto question = asking({sha256(file)});
  question.mutable_asker()->set_extended(true);
  const auto wishes = asked(question);
  ASSERT_EQ(wishes.wishes_size(), 1);
  EXPECT_EQ(wishes.wishes(0).first(), 0u);
  EXPECT_EQ(wishes.wishes(0).bytes(), 2048u);
  const auto piece = [&](std::uint64_t offset, std::uint64_t bytes) {
    auto request = part(file, offset, bytes);
    request.set_bytes(2048);
    return request;
  };
  EXPECT_EQ(sent(piece(0, 0)).held(), 0u);
  EXPECT_EQ(sent(piece(0, 1000)).held(), 1000u);
  service_.reset();
  EXPECT_FALSE(sent(piece(0, 0)).complete());
  EXPECT_TRUE(sent(piece(1000, 1048)).complete());
  EXPECT_TRUE(sent(piece(0, 0)).complete());
  EXPECT_EQ(picket::read_file(folder_ + "/samples/" + picket::sha256_hex(file) + ".0-2048.piece", 10'000).value(), file.substr(0, 2048));
  EXPECT_EQ(asked(question).wishes_size(), 0);  // it is here
  EXPECT_EQ(post("/ksn/v1/content", piece(2000, 100)).status, 400);
  EXPECT_EQ(refusal(post("/ksn/v1/content", part(file, 0, 1000))).text(), "this KSN takes the first 2048 bytes of a file");
  auto other = piece(0, 100);
  other.set_first(4096);
  EXPECT_EQ(post("/ksn/v1/content", other).status, 409);  // not wished for
}

TEST_F(KsnServiceSamples, checks_the_digest_of_a_file_that_is_shorter_than_what_it_wishes_for) {
  settings_.samples.wish_bytes = 4096;
  const auto file = picket::random_bytes(1000);
  auto request = part(file, 0, 1000);
  request.set_bytes(4096);
  EXPECT_TRUE(sent(request).complete());
  EXPECT_EQ(picket::read_file(folder_ + "/samples/" + picket::sha256_hex(file) + ".sample", 10'000).value(), file);
  request.set_digest(sha256("other"));
  EXPECT_EQ(post("/ksn/v1/content", request).status, 400);
}

TEST_F(KsnServiceSamples, throws_a_file_away_that_is_not_what_it_was_said_to_be) {
  const auto file = picket::random_bytes(100);
  auto lie = part(file, 0, 100);
  lie.set_digest(sha256("other"));
  const auto response = post("/ksn/v1/content", lie);
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(fs::is_empty(folder_ + "/samples"));
}

TEST_F(KsnServiceSamples, takes_only_what_it_wants) {
  const auto file = picket::random_bytes(100);
  const auto status = [&](auto change) {
    auto request = part(file, 0, 100);
    change(request);
    return post("/ksn/v1/content", request).status;
  };
  EXPECT_EQ(status([](auto& r) { r.mutable_asker()->set_extended(false); }), 400);
  EXPECT_EQ(status([](auto& r) { r.mutable_asker()->set_licence("other"); }), 403);
  EXPECT_EQ(status([](auto& r) { r.set_digest("short"); }), 400);
  EXPECT_EQ(status([](auto& r) { r.set_digest(digest_of(1)); }), 409);  // known
  EXPECT_EQ(status([](auto& r) { r.set_size(5001); }), 409);            // too large
  EXPECT_EQ(status([](auto& r) { r.set_size(0); }), 400);
  EXPECT_EQ(status([](auto& r) { r.set_size(50); }), 400);
  EXPECT_EQ(status([](auto& r) { r.set_offset(~std::uint64_t{0}); }), 400);
  EXPECT_EQ(status([](auto& r) { r.set_first(10); }), 409);
  service_.reset();
  settings_.samples.folder.clear();
  EXPECT_EQ(status([](auto&) {}), 409);
}

TEST_F(KsnServiceSamples, asking_how_much_is_there_leaves_nothing_behind) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sent(part(picket::random_bytes(4000), 0, 0)).held(), 0u);
  EXPECT_EQ(sent(part(picket::random_bytes(4000), 1000, 1000)).held(), 0u) << "nor does a part with nothing before it";
  EXPECT_FALSE(fs::exists(folder_ + "/samples"));
}

TEST_F(KsnServiceSamples, counts_a_tiny_file_as_the_block_that_it_fills) {
  int complete = 0;
  for (int i = 0; i < 20; ++i) complete += post("/ksn/v1/content", part(std::to_string(i), 0, 10)).status == 200;
  EXPECT_EQ(complete, 2);
}

TEST_F(KsnServiceSamples, holds_a_thousand_unfinished_files_and_sweeps_what_nobody_goes_on_with) {
  settings_.samples.quota_bytes = 100'000'000;
  fs::create_directory(folder_ + "/samples");
  const auto unfinished = [&](int n) { return folder_ + "/samples/" + picket::sha256_hex(std::to_string(n)) + ".sample.part"; };
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(picket::write_file_atomic(unfinished(i), "x"));
  const auto begun = part(picket::random_bytes(2000), 0, 1000);
  EXPECT_EQ(refusal(post("/ksn/v1/content", begun)).text(), "there is no room for samples now");
  auto question = asking({digest_of(700)});
  question.mutable_asker()->set_extended(true);
  EXPECT_EQ(asked(question).wishes_size(), 0);
  fs::last_write_time(unfinished(0), fs::file_time_type::clock::now() - std::chrono::hours(24 * 8));
  service_.reset();
  EXPECT_EQ(sent(begun).held(), 1000u);
  EXPECT_FALSE(fs::exists(unfinished(0)));
}

TEST_F(KsnServiceSamples, are_not_kept_out_by_a_thousand_that_were_barely_begun) {
  settings_.samples.quota_bytes = 100'000'000;
  settings_.samples.sweep_when_crowded = std::chrono::minutes(0);
  fs::create_directory(folder_ + "/samples");
  const auto unfinished = [&](int n) { return folder_ + "/samples/" + picket::sha256_hex(std::to_string(n)) + ".sample.part"; };
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(picket::write_file_atomic(unfinished(i), "x"));
  ASSERT_TRUE(picket::write_file_atomic(unfinished(0), std::string(picket::ksn::kMostPartBytes, 'x')));
  const auto begun = part(picket::random_bytes(2000), 0, 1000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(post("/ksn/v1/content", begun).status, 409) << "they may go on";
  for (int i = 0; i < 999; ++i) fs::last_write_time(unfinished(i), fs::file_time_type::clock::now() - std::chrono::minutes(11));
  EXPECT_EQ(sent(begun).held(), 1000u);
  EXPECT_TRUE(fs::exists(unfinished(0))) << "much of it is here";
  EXPECT_FALSE(fs::exists(unfinished(1)));
  EXPECT_TRUE(fs::exists(unfinished(999))) << "it came just now";
}

TEST_F(KsnServiceSamples, takes_none_when_it_wishes_for_none) {
  settings_.samples.wish_unknown = false;
  EXPECT_EQ(post("/ksn/v1/content", part("content", 0, 7)).status, 409);
}

TEST_F(KsnServiceSamples, keeps_its_quota) {
  int complete = 0;
  Response last;
  for (int i = 0; i < 5; ++i) {
    last = post("/ksn/v1/content", part(picket::random_bytes(4000), 0, 4000));
    complete += last.status == 200;
  }
  EXPECT_EQ(complete, 2);
  EXPECT_EQ(last.status, 409);
  EXPECT_EQ(refusal(last).text(), "there is no room for samples now");
}

}  // namespace
}  // namespace ksn_service::test
