#include "fixture.hpp"

#include "ksn/limits.hpp"

namespace ksn_service::test {
namespace {

class KsnServiceAsked : public ServiceTest {};

TEST_F(KsnServiceAsked, answers_each_question_in_order_signed_with_a_time_to_live_by_verdict) {
  settings_.ttl = {100, 200, 300, 400, 500};
  const auto got = answers(asking({digest_of(0), digest_of(1), digest_of(2), digest_of(5000), digest_of(0)}));
  ASSERT_EQ(got.size(), 5u);
  EXPECT_EQ(got[0].facts.verdict(), v1::VERDICT_TRUSTED);
  EXPECT_EQ(got[0].facts.ttl_seconds(), 100u);
  EXPECT_EQ(got[1].facts.verdict(), v1::VERDICT_ABUSABLE);
  EXPECT_EQ(got[1].facts.threat(), "threat 1");
  EXPECT_EQ(got[1].facts.ttl_seconds(), 200u);
  EXPECT_EQ(got[2].facts.verdict(), v1::VERDICT_UNTRUSTED);
  EXPECT_EQ(got[2].facts.ttl_seconds(), 300u);
  EXPECT_EQ(got[3].facts.verdict(), v1::VERDICT_UNKNOWN);
  EXPECT_EQ(got[3].facts.ttl_seconds(), 400u);
  EXPECT_EQ(got[4].facts.SerializeAsString(), got[0].facts.SerializeAsString());
}

TEST_F(KsnServiceAsked, answers_prefixes_with_all_that_is_known_under_them) {
  settings_.ttl.prefix = 77;
  auto request = asking({digest_of(3).substr(0, 4), "none"});
  *request.add_questions() = asking({digest_of(9)}).questions(0);
  const auto got = answers(request);
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].list.found_size(), 100);
  EXPECT_EQ(got[0].list.ttl_seconds(), 77u);
  EXPECT_EQ(got[0].list.found(7).facts().threat(), "threat 7");
  EXPECT_NE(got[0].list.found(7).facts().ttl_seconds(), 0u);
  EXPECT_EQ(got[1].list.found_size(), 0);
  EXPECT_EQ(got[1].list.ttl_seconds(), 77u);
  EXPECT_EQ(got[2].facts.threat(), "threat 9");
}

TEST_F(KsnServiceAsked, answers_nothing_with_nothing) {
  EXPECT_EQ(asked(asking({})).answers_size(), 0);
  EXPECT_EQ(asked(asking({})).signers_size(), 0);
}

TEST_F(KsnServiceAsked, seals_each_answer_by_itself_for_who_hands_them_on) {
  auto request = asking({digest_of(0), digest_of(1)});
  *request.add_questions() = asking({"dddd"}).questions(0);
  EXPECT_FALSE(asked(request).answers(0).has_seal());
  request.set_each_sealed(true);
  auto reply = asked(request);
  EXPECT_EQ(answers(request, reply).size(), 3u);
  reply.clear_seal();
  const auto each = answers(request, reply);
  ASSERT_EQ(each.size(), 3u);
  EXPECT_EQ(each[1].facts.threat(), "threat 1");
  EXPECT_EQ(each[2].list.found_size(), 100);
}

TEST_F(KsnServiceAsked, signs_with_other_keys_too) {
  key_ = picket::trust::PrivateKey::generate("ecdsa").value();
  auto each = asking({digest_of(1)});
  each.set_each_sealed(true);
  EXPECT_EQ(answers(each).size(), 1u);
  EXPECT_EQ(answers(asking({digest_of(1)})).size(), 1u);
}

TEST_F(KsnServiceAsked, refuses_licences_by_name_of_the_trouble) {
  const auto with = [&](std::string licence) {
    auto request = asking({digest_of(1)});
    request.mutable_asker()->set_licence(std::move(licence));
    return post("/ksn/v1/ask", request);
  };
  EXPECT_EQ(with("good").status, 200);
  EXPECT_EQ(with("other").status, 403);
  EXPECT_EQ(refusal(with("other")).why(), v1::Refusal::LICENCE_UNKNOWN);
  EXPECT_EQ(refusal(with("")).why(), v1::Refusal::LICENCE_UNKNOWN);
  EXPECT_EQ(refusal(with("blocked")).why(), v1::Refusal::LICENCE_BLOCKED);
  EXPECT_EQ(refusal(with("expired")).why(), v1::Refusal::LICENCE_EXPIRED);
  EXPECT_EQ(refusal(with("expired")).text(), "the licence ended at 2027-01-15T07:59:59Z");
  EXPECT_EQ(service().counters().at("refused_licence"), 6u);
  service_.reset();
  settings_.licences_required = false;
  EXPECT_EQ(with("").status, 200);
}

TEST_F(KsnServiceAsked, refuses_malformed_and_too_large_questions) {
  const auto why = [&](auto change) {
    auto request = asking({digest_of(1)});
    change(request);
    const auto response = post("/ksn/v1/ask", request);
    EXPECT_TRUE(response.status == 400 || response.status == 413) << response.status;
    return refusal(response).text();
  };
  EXPECT_EQ(why([](auto& r) { r.mutable_questions(0)->set_length(3); }), "digests of 3 bytes: from 4 (a prefix) to 32");
  EXPECT_EQ(why([](auto& r) { r.mutable_questions(0)->set_length(0); }), "digests of 0 bytes: from 4 (a prefix) to 32");
  EXPECT_EQ(why([](auto& r) { r.mutable_questions(0)->set_length(33); }), "digests of 33 bytes: from 4 (a prefix) to 32");
  EXPECT_EQ(why([](auto& r) { r.mutable_questions(0)->mutable_digests()->pop_back(); }), "digests that are cut off");
  EXPECT_EQ(why([](auto& r) { r.mutable_questions(0)->set_kind(static_cast<v1::ObjectKind>(4)); }), "kind 4 is unknown");
  EXPECT_EQ(why([](auto& r) { r.mutable_questions(0)->set_digests(std::string(32 * 1001, 'x')); }), "more than 1000 questions");
  EXPECT_EQ(why([](auto& r) { r.mutable_asker()->set_installation("short"); }), "an installation id that is not 16 bytes");
  EXPECT_EQ(why([](auto& r) { r.mutable_asker()->set_version(std::string(257, 'v')); }), "the asker says more than 256 bytes of itself");
  EXPECT_EQ(refusal(service().handle("/ksn/v1/ask", "\xff\xff", "192.0.2.7")).why(), v1::Refusal::MALFORMED);
  EXPECT_EQ(service().handle("/ksn/v1/ask", std::string(65537, '\0'), "192.0.2.7").status, 413);
  EXPECT_EQ(service().handle("/ksn/v2/ask", "", "192.0.2.7").status, 404);
}

TEST_F(KsnServiceAsked, refuses_a_prefix_with_too_much_below) {
  {
    auto store = picket::ksn_store::open_store(settings_.store).value();
    std::vector<picket::ksn_store::Row> rows;
    for (int i = 0; i < 1001; ++i) rows.push_back(picket::ksn_store::row_of("many" + digest_of(i).substr(4), {3, {}, {}, {}, {}, 0, 0, {}}));
    ASSERT_TRUE(store->put(v1::OBJECT_FILE, rows));
  }
  const auto response = post("/ksn/v1/ask", asking({"many"}));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(refusal(response).text(), "more than 1000 objects under a prefix of 4 bytes: ask by more bytes");
  for (const auto& line : told_) EXPECT_TRUE(line.starts_with("good: ")) << "nothing is wrong with the store: " << line;
  EXPECT_EQ(service().store_state().find("more than"), std::string::npos) << service().store_state();
}

TEST_F(KsnServiceAsked, limits_each_installation_and_each_address_but_no_proxy) {
  settings_.installation_per_minute = 60;
  settings_.address_per_minute = 6000;
  settings_.burst = 1000;
  settings_.proxies = {picket::AddressRange::parse("198.51.100.0/24").value()};
  auto request = asking(std::vector<std::string>(600, digest_of(1)));
  EXPECT_EQ(post("/ksn/v1/ask", request).status, 200);
  const auto refused = post("/ksn/v1/ask", request);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refusal(refused).why(), v1::Refusal::TOO_MANY);
  EXPECT_GE(refusal(refused).retry_after_seconds(), 100u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(post("/ksn/v1/ask", request, "198.51.100.9").status, 200);
  // Another installation every time: the address still counts.
  int accepted = 0;
  for (char i = 'a'; i < 'k'; ++i) {
    request.mutable_asker()->set_installation(std::string(16, i));
    accepted += post("/ksn/v1/ask", request, "203.0.113.1").status == 200;
  }
  EXPECT_EQ(accepted, 1);
}

TEST_F(KsnServiceAsked, greets_whom_it_would_answer) {
  const auto response = post("/ksn/v1/hello", greeting());
  ASSERT_EQ(response.status, 200) << refusal(response).text();
  v1::HelloReply reply;
  ASSERT_TRUE(reply.ParseFromString(response.body));
  EXPECT_EQ(reply.ksn(), "example");
  EXPECT_TRUE(reply.private_ksn());
  EXPECT_FALSE(reply.proxy());
  EXPECT_EQ(reply.now(), now_);
}

TEST_F(KsnServiceAsked, greets_nobody_whose_questions_it_would_refuse) {
  const auto why = [&](const v1::HelloRequest& request) { return refusal(post("/ksn/v1/hello", request)).why(); };
  EXPECT_EQ(why(greeting("other")), v1::Refusal::LICENCE_UNKNOWN);
  EXPECT_EQ(why(v1::HelloRequest()), v1::Refusal::LICENCE_UNKNOWN);
  EXPECT_EQ(why(greeting("blocked")), v1::Refusal::LICENCE_BLOCKED);
  EXPECT_EQ(why(greeting("expired")), v1::Refusal::LICENCE_EXPIRED);
  auto malformed = greeting();
  malformed.mutable_asker()->set_installation("short");
  EXPECT_EQ(why(malformed), v1::Refusal::MALFORMED);
  service_.reset();
  settings_.licences_required = false;
  EXPECT_EQ(post("/ksn/v1/hello", v1::HelloRequest()).status, 200);
  service_.reset();
  settings_.installation_per_minute = 1;
  settings_.burst = 2;
  for (const int expected : {200, 200, 429}) EXPECT_EQ(post("/ksn/v1/hello", greeting()).status, expected);
}

TEST_F(KsnServiceAsked, says_what_it_does_not_take_only_to_those_whom_it_knows) {
  settings_.statistics = false;
  v1::StatisticsRequest statistics;
  *statistics.mutable_asker() = asker("other");
  statistics.mutable_asker()->set_extended(true);
  statistics.set_id(std::string(16, 's'));
  EXPECT_EQ(post("/ksn/v1/statistics", statistics).status, 403);
  v1::ContentRequest content;
  *content.mutable_asker() = statistics.asker();
  content.set_digest(digest_of(5000));
  EXPECT_EQ(post("/ksn/v1/content", content).status, 403);
}

TEST_F(KsnServiceAsked, keeps_statistics_of_extended_mode_once) {
  v1::StatisticsRequest request;
  *request.mutable_asker() = asker();
  request.set_id(std::string(16, 's'));
  (*request.mutable_counters())["files"] = 3;
  EXPECT_EQ(post("/ksn/v1/statistics", request).status, 400);  // nobody asked basic mode
  request.mutable_asker()->set_extended(true);
  EXPECT_EQ(post("/ksn/v1/statistics", request).status, 200);
  EXPECT_EQ(post("/ksn/v1/statistics", request).status, 200);
  auto named = request;
  (*named.mutable_counters())["/home/ann"] = 1;
  EXPECT_EQ(post("/ksn/v1/statistics", named).status, 400);
  service_.reset();
  auto sums = picket::ksn_store::open_store(settings_.store).value()->counted().value();
  EXPECT_EQ(sums["2027-01-15"]["files"], 3u);
  settings_.statistics = false;
  EXPECT_EQ(post("/ksn/v1/statistics", request).status, 409);
}

TEST_F(KsnServiceAsked, keeps_no_names_of_counters_that_a_client_makes_up) {
  v1::StatisticsRequest request;
  *request.mutable_asker() = asker();
  request.mutable_asker()->set_extended(true);
  for (char n = 'a'; n <= 'z'; ++n) {
    request.set_id(std::string(16, n));
    request.clear_counters();
    for (int i = 0; i < 200; ++i) (*request.mutable_counters())[std::string(40, n) + std::to_string(i)] = 1;
    if (n == 'z') (*request.mutable_counters())["untrusted"] = 2;
    ASSERT_EQ(post("/ksn/v1/statistics", request).status, 200);
  }
  service_.reset();
  const std::map<std::string, std::uint64_t> one{{"untrusted", 2}};
  EXPECT_EQ(picket::ksn_store::open_store(settings_.store).value()->counted().value(), (std::map<std::string, std::map<std::string, std::uint64_t>>{{"2027-01-15", one}}));
}

TEST_F(KsnServiceAsked, without_its_store_says_so_and_comes_back_by_itself) {
  settings_.installation_per_minute = settings_.address_per_minute = 0;  // it is asked as fast as it answers
  fs::rename(settings_.store, folder_ + "/away");
  const auto response = post("/ksn/v1/ask", asking({digest_of(1)}));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(refusal(response).text(), "the service cannot reach its store now");
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].substr(0, 5), "bad: ");
  EXPECT_EQ(refusal(post("/ksn/v1/hello", greeting())).why(), v1::Refusal::UNAVAILABLE);
  fs::rename(folder_ + "/away", settings_.store);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (post("/ksn/v1/ask", asking({digest_of(1)})).status != 200) ASSERT_LT(std::chrono::steady_clock::now(), until);
  EXPECT_EQ(told_.back().substr(0, 6), "good: ");
  // And when it is taken away under a running service.
  fs::rename(settings_.store + "/data.mdb", folder_ + "/data.mdb");
  while (post("/ksn/v1/ask", asking({digest_of(1)})).status != 503) ASSERT_LT(std::chrono::steady_clock::now(), until);
  fs::rename(folder_ + "/data.mdb", settings_.store + "/data.mdb");
  while (post("/ksn/v1/ask", asking({digest_of(1)})).status != 200) ASSERT_LT(std::chrono::steady_clock::now(), until);
  EXPECT_EQ(answers(asking({digest_of(1)}))[0].facts.threat(), "threat 1");
}

}  // namespace
}  // namespace ksn_service::test
