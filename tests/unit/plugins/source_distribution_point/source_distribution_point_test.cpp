// The source against points that do as a test tells them.
#include "picket/update/v1/report.pb.h"
#include "unit/plugins/raw_server.hpp"
#include "unit/plugins/source_rig.hpp"

#include <atomic>

using namespace picket::plugin_tests;

namespace {

RawServer::Reply good(const std::string& body) { return {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body}; }
RawServer::Reply bad(const std::string& line) { return {"HTTP/1.1 " + line + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}; }

class PointSource : public SourceRig {
 protected:
  [[nodiscard]] static std::string at(const RawServer& server) { return "http://127.0.0.1:" + std::to_string(server.port()) + "/"; }
  void begin(const std::vector<std::string>& urls, const std::string& more = R"("announce":false)") {
    std::string points;
    for (const auto& url : urls) points += (points.empty() ? "" : ",") + std::string(R"({"name":"p)") + std::to_string(points.size()) + R"(","url":")" + url + "\"}";
    host_.allow({.publishes = std::vector<std::string>{}, .subscribes = std::vector<std::string>{},
                 .answers = std::vector<std::string>{"picket.source.fetch", "picket.source.probe"}, .asks = std::vector<std::string>{"picket.update.status"}});
    ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY)) << host_.why();
    ASSERT_EQ(host_.create("org.picket.source-distribution-point"), PICKET_OK) << host_.error();
    ASSERT_EQ(host_.start(R"({"device":"pc-1","proxy":"none","points":[)" + points + "]," + more + "}"), PICKET_OK) << host_.error();
  }
  Fetched get(const std::string& path) { return fetch(fetch_of("points", path)); }
};

TEST_F(PointSource, goes_on_to_the_next_point_when_one_is_dead_or_overloaded_and_remembers_it) {
  RawServer ill([](const std::string&) { return bad("503 Service Unavailable"); });
  RawServer well([](const std::string&) { return good("content"); });
  begin({"http://127.0.0.1:1/", at(ill), at(well)});
  const auto got = get("targets/f");
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, "content");
  EXPECT_EQ(got.reply.from(), at(well) + "targets/f");
  const auto asked = ill.accepted();
  EXPECT_EQ(get("targets/g").answer.status, PICKET_OK);
  EXPECT_EQ(ill.accepted(), asked);  // it rests
  const auto check = get("metadata/timestamp.json");
  ASSERT_EQ(check.reply.notes_size(), 1);
  EXPECT_NE(check.reply.notes(0).find("(for every device), the best of 3"), std::string::npos) << check.reply.notes(0);
}

TEST_F(PointSource, asks_the_next_point_for_a_file_that_one_has_not_but_takes_a_missing_root_for_an_answer) {
  // Which of them is nearer, and so asked first, is chance: what is lacking is what is asked for first, wherever.
  std::atomic<int> files = 0, roots = 0;
  const auto play = [&](const std::string& head) {
    if (head.find("2.root.json") != head.npos) return roots++ == 0 ? bad("404 Not Found") : good("a root");
    return files++ == 0 ? bad("404 Not Found") : good("content");
  };
  RawServer one(play), other(play);
  begin({at(one), at(other)});
  EXPECT_EQ(get("targets/f").answer.stream, "content");
  EXPECT_EQ(files, 2);
  EXPECT_EQ(get("metadata/2.root.json").answer.status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(roots, 1);
}

// Half of a file, and then nothing more, or the end.
struct Trouble {
  const char* name;
  bool stalls;
};
class InTheMiddle : public PointSource, public ::testing::WithParamInterface<Trouble> {};
INSTANTIATE_TEST_SUITE_P(All, InTheMiddle, ::testing::Values(Trouble{"stalls", true}, Trouble{"is_cut", false}), [](const auto& which) { return which.param.name; });

TEST_P(InTheMiddle, the_next_point_goes_on_with_the_rest_and_the_ill_one_rests) {
  const auto content = pattern(200'000);
  constexpr std::size_t kHalf = 70'001;
  const auto half = [&](const std::string& head) -> RawServer::Reply {
    EXPECT_EQ(head.find("Range:"), std::string::npos) << head;
    return {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content.substr(0, kHalf), GetParam().stalls};
  };
  const auto rest = [&](const std::string& head) -> RawServer::Reply {
    const auto at = head.find("Range: bytes=");
    if (at == std::string::npos) return good(content);
    const auto from = std::stoul(head.substr(at + 13));
    return {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) + "-" + std::to_string(content.size() - 1) + "/" + std::to_string(content.size()) +
            "\r\nContent-Length: " + std::to_string(content.size() - from) + "\r\nConnection: close\r\n\r\n" + content.substr(from)};
  };
  // The nearer one is asked first, whichever that is: the first that is asked is the ill one.
  std::atomic<const void*> ill{nullptr};
  const auto play = [&](const void* me, const std::string& head) {
    const void* nobody = nullptr;
    ill.compare_exchange_strong(nobody, me);
    return ill == me ? half(head) : rest(head);
  };
  int one = 0, two = 0;
  RawServer a([&](const std::string& head) { return play(&one, head); }), b([&](const std::string& head) { return play(&two, head); });
  begin({at(a), at(b)});
  auto request = fetch_of("points", "targets/f");
  request.set_max_bytes(content.size());
  request.set_stall_timeout_ms(GetParam().stalls ? 3000 : 20'000);
  const auto got = fetch(request);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, content);
  EXPECT_EQ(got.reply.sent(), content.size());
  EXPECT_EQ(got.reply.offset(), 0u);
  auto& well = ill == &one ? b : a;
  ASSERT_EQ(well.heads().size(), 1u);
  EXPECT_NE(well.heads()[0].find("Range: bytes=70001-199999\r\n"), std::string::npos) << well.heads()[0];  // no byte twice
  EXPECT_EQ(got.reply.from(), at(well) + "targets/f");
  std::string notes;
  for (const auto& note : got.reply.notes()) notes += note + "\n";
  EXPECT_NE(notes.find("failed in the middle, and the next one goes on at byte 70001"), std::string::npos) << notes;
  // It is remembered: the next file is not asked of it first.
  const auto asked = (ill == &one ? a : b).heads().size();
  EXPECT_EQ(get("targets/g").answer.stream, content);
  EXPECT_EQ((ill == &one ? a : b).heads().size(), asked);
}

TEST_F(PointSource, puts_no_metadata_together_of_two_points) {
  RawServer ill([](const std::string&) { return RawServer::Reply{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"}; });
  begin({at(ill), at(ill) + "again/"});
  const auto got = get("metadata/timestamp.json");
  EXPECT_NE(got.answer.status, PICKET_OK);
  EXPECT_EQ(ill.heads().size(), 1u);
}

TEST_F(PointSource, tells_servers_what_the_host_wants_told_and_nothing_where_it_wants_nothing_told) {
  RawServer point([](const std::string&) { return good("x"); });
  begin({at(point)});
  auto request = fetch_of("points", "targets/f");
  EXPECT_EQ(fetch(request).answer.status, PICKET_OK);
  request.set_told("Picket/9 (installation i; licence l; run 7)");
  EXPECT_EQ(fetch(request).answer.status, PICKET_OK);
  request.set_told("");
  EXPECT_EQ(fetch(request).answer.status, PICKET_OK);
  const auto heads = point.heads();
  ASSERT_EQ(heads.size(), 3u);
  EXPECT_NE(heads[0].find("\r\nUser-Agent: Picket/"), std::string::npos) << heads[0];
  EXPECT_NE(heads[1].find("\r\nUser-Agent: Picket/9 (installation i; licence l; run 7)\r\n"), std::string::npos) << heads[1];
  EXPECT_EQ(heads[2].find("User-Agent"), std::string::npos) << heads[2];
}

TEST_F(PointSource, says_why_when_no_point_helps) {
  begin({"http://127.0.0.1:1/", "http://127.0.0.1:2/"});
  const auto got = get("targets/f");
  EXPECT_EQ(got.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_NE(got.answer.payload.find("127.0.0.1:"), std::string::npos) << got.answer.payload;
}

TEST_F(PointSource, says_that_no_point_is_for_this_device) {
  host_.allow({.publishes = {}, .subscribes = {}, .answers = {}, .asks = std::vector<std::string>{"picket.update.status"}});
  ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY));
  ASSERT_EQ(host_.create("org.picket.source-distribution-point"), PICKET_OK);
  ASSERT_EQ(host_.start(R"({"points":[{"url":"http://127.0.0.1:1/","scope":{"devices":["nobody"]}}],"announce":false})"), PICKET_OK);
  const auto got = get("targets/f");
  EXPECT_EQ(got.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_NE(got.answer.payload.find("none of 1 distribution points is for this device"), std::string::npos) << got.answer.payload;
}

TEST_F(PointSource, uses_the_point_that_a_source_names_whatever_the_settings_say) {
  RawServer named([](const std::string&) { return good("named"); });
  begin({"http://127.0.0.1:1/"});
  EXPECT_EQ(fetch(fetch_of(at(named), "targets/f")).answer.stream, "named");
  EXPECT_EQ(probe(at(named)).status, PICKET_OK);
}

TEST_F(PointSource, tells_the_point_what_this_device_needs_once_and_again_when_it_changes) {
  RawServer point([](const std::string& head) { return head.starts_with("POST") ? good("{}") : good("stamp"); });
  std::string wanted = "yara-rules";
  host_.when_asked("picket.update.status", [&](const auto&) {
    picket::update::v1::StatusReply state;
    auto& component = *state.add_components();
    component.set_component(wanted);
    component.set_wanted_variant("light");
    component.add_demanded_by("scanner");
    state.add_components()->set_component("left-over");  // nobody wants it any more
    return picket::testing::Reply{PICKET_OK, state.SerializeAsString(), {}, {}};
  });
  begin({at(point)}, R"("announce":true)");
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  EXPECT_EQ(get("targets/f").answer.stream, "stamp");
  const auto posts = [&] {
    std::size_t count = 0;
    for (const auto& head : point.heads()) count += head.starts_with("POST /v1/demand HTTP/1.1\r\n");
    return count;
  };
  EXPECT_EQ(posts(), 1u);
  wanted = "other";
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");  // asks what is needed now
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  EXPECT_EQ(posts(), 2u);
}

// The computer is a point itself, and its devices' wishes are to reach the point that it follows. What its own agent needs stays told.
TEST_F(PointSource, tells_the_point_also_what_others_want_of_the_point_on_this_computer) {
  RawServer point([](const std::string& head) { return head.starts_with("POST") ? good("{}") : good("stamp"); });
  host_.when_asked("picket.update.status", [](const auto&) {
    picket::update::v1::StatusReply state;
    auto& component = *state.add_components();
    component.set_component("own");
    component.add_demanded_by("scanner");
    return picket::testing::Reply{PICKET_OK, state.SerializeAsString(), {}, {}};
  });
  begin({at(point)}, R"("announce":true)");
  const auto told = [&] {
    std::vector<std::size_t> lengths;
    for (const auto& head : point.heads())
      if (head.starts_with("POST /v1/demand HTTP/1.1\r\n")) lengths.push_back(std::stoul(head.substr(head.find("Content-Length: ") + 16)));
    return lengths;
  };
  auto check = fetch_of("points", "metadata/timestamp.json");
  auto& wanted = *check.mutable_wanted();
  const auto want = [&](const char* component, const char* variant) {
    auto& one = *wanted.add_components();
    one.set_component(component);
    one.set_variant(variant);
  };
  want("db", "full");
  want("db", "light");
  const auto of_others = std::string(R"({"device":"pc-1:point","components":[{"component":"db","variants":["full","light"]}]})").size();
  const auto of_own = std::string(R"({"device":"pc-1","components":[{"component":"own","variants":["full"]}]})").size();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(fetch(check).answer.stream, "stamp");
    EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  }
  EXPECT_EQ(told(), (std::vector<std::size_t>{of_others, of_own})) << "each once";
  wanted.clear_components();
  EXPECT_EQ(fetch(check).answer.stream, "stamp");
  EXPECT_EQ(told().size(), 3u) << "that they want it no more";
}

TEST_F(PointSource, says_which_point_answered_and_whom_it_follows_where_the_point_names_itself) {
  std::atomic<bool> is_plain{true};
  RawServer point([&](const std::string&) {
    return RawServer::Reply{RawServer::answer("200 OK", "stamp", std::string("Connection: close\r\nPicket-Point: ") + (is_plain ? "0123abcd office, 4567 warehouse" : "0123abcd \xff") + "\r\n")};
  });
  begin({at(point)});
  EXPECT_EQ(get("metadata/timestamp.json").reply.point(), "0123abcd office, 4567 warehouse");
  is_plain = false;
  EXPECT_EQ(get("metadata/timestamp.json").reply.point(), "");
}

TEST_F(PointSource, tells_the_point_all_that_the_agent_names_in_several_answers) {
  std::string told;
  RawServer point([&](const std::string& head) { return head.starts_with("POST") ? good("{}") : good("stamp"); });
  host_.when_asked("picket.update.status", [&](const auto& asked) {
    picket::update::v1::StatusRequest question;
    EXPECT_TRUE(question.ParseFromString(asked.message.payload));
    told += question.after() + ";";
    picket::update::v1::StatusReply state;
    auto& component = *state.add_components();
    component.set_component(std::string(300, question.after().empty() ? 'a' : 'b'));
    component.add_demanded_by("scanner");
    state.set_more(question.after().empty());
    return picket::testing::Reply{PICKET_OK, state.SerializeAsString(), {}, {}};
  });
  begin({at(point)}, R"("announce":true)");
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  EXPECT_EQ(told.substr(0, 302), ";" + std::string(300, 'a') + ";");
  std::size_t length = 0;
  for (const auto& head : point.heads())
    if (const auto at = head.find("Content-Length: "); head.starts_with("POST") && at != std::string::npos) length = std::stoul(head.substr(at + 16));
  EXPECT_GT(length, 600u);
}

TEST_F(PointSource, tells_a_point_again_at_once_when_it_lacks_what_this_device_came_for) {
  RawServer point([](const std::string& head) {
    if (head.starts_with("POST")) return good("{}");
    return head.find("/timestamp.json") != std::string::npos ? good("stamp") : bad("404 Not Found");
  });
  host_.when_asked("picket.update.status", [](const auto&) {
    picket::update::v1::StatusReply state;
    auto& component = *state.add_components();
    component.set_component("db");
    component.add_demanded_by("scanner");
    return picket::testing::Reply{PICKET_OK, state.SerializeAsString(), {}, {}};
  });
  begin({at(point)}, R"("announce":true)");
  const auto posts = [&] {
    std::size_t count = 0;
    for (const auto& head : point.heads()) count += head.starts_with("POST /v1/demand HTTP/1.1\r\n") && head.find("Range") == std::string::npos;
    return count;
  };
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  EXPECT_EQ(get("metadata/3.db.json").answer.status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(posts(), 1u);  // it was told a moment ago
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
  EXPECT_EQ(get("metadata/2.root.json").answer.status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(posts(), 1u);  // a root that is not there is no lack
  auto rest = fetch_of("points", "targets/f");
  rest.set_offset(1000);
  const auto lacking = fetch(rest);
  EXPECT_EQ(lacking.answer.status, PICKET_E_NOT_FOUND) << lacking.answer.payload;
  EXPECT_NE(lacking.answer.payload.find("404"), std::string::npos) << lacking.answer.payload;
  EXPECT_EQ(posts(), 2u);
  EXPECT_EQ(get("metadata/3.db.json").answer.status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(posts(), 2u);  // once a check
}

TEST_F(PointSource, tells_a_point_only_once_for_a_file_even_if_it_cuts_the_line_each_time) {
  RawServer point([](const std::string& head) { return head.starts_with("POST") ? RawServer::Reply{""} : bad("404 Not Found"); });
  host_.when_asked("picket.update.status", [](const auto&) { return picket::testing::Reply{PICKET_OK, {}, {}, {}}; });
  begin({at(point)}, R"("announce":true)");
  const auto got = get("targets/f");
  EXPECT_EQ(got.answer.status, PICKET_E_NOT_FOUND) << got.answer.payload;
  std::size_t posts = 0;
  for (const auto& head : point.heads()) posts += head.starts_with("POST");
  EXPECT_EQ(posts, 1u);
}

TEST_F(PointSource, fetches_all_the_same_from_a_point_that_takes_no_wishes) {
  RawServer point([](const std::string& head) { return head.starts_with("POST") ? bad("403 Forbidden") : good("stamp"); });
  host_.when_asked("picket.update.status", [](const auto&) { return picket::testing::Reply{PICKET_OK, {}, {}, {}}; });
  begin({at(point)}, R"("announce":true)");
  EXPECT_EQ(get("metadata/timestamp.json").answer.stream, "stamp");
}

TEST_F(PointSource, refuses_settings_that_could_never_work_and_says_which) {
  for (const auto& [points, text] : {std::pair<std::string, std::string>{R"({"url":"ftp://x/"})", "must begin with https:// or http://"},
                                     {R"({"url":"http://x/"},{"url":"http://x"})", "occurs twice"},
                                     {R"({"url":"http://x/","scope":{"networks":[{"ranges":["10.0.0.1/8"]}]}})", "bits behind the prefix"},
                                     {R"({"url":"http://x/","scope":{"networks":[{}]}})", "names no ranges"}}) {
    picket::testing::FakeHost host;
    ASSERT_TRUE(host.load(PICKET_TEST_LIBRARY));
    ASSERT_EQ(host.create("org.picket.source-distribution-point"), PICKET_OK);
    EXPECT_EQ(host.start(R"({"announce":false,"points":[)" + points + "]}"), PICKET_E_INVALID);
    EXPECT_NE(host.error().find(text), std::string::npos) << host.error();
  }
}

}  // namespace
