// What servers may do wrong, said by a server that does as it is told. Real servers: tests/integration/plugins.
#include "unit/plugins/raw_server.hpp"
#include "unit/plugins/source_rig.hpp"

using namespace picket::plugin_tests;

namespace {

class SourceHttp : public SourceRig {
 protected:
  void SetUp() override { load(PICKET_TEST_LIBRARY, "org.picket.source-http", R"({"proxy":"none"})"); }

  // One fetch of "f" from a server that always answers so.
  Fetched fetch_from(RawServer::Reply reply, std::uint64_t offset = 0, std::uint32_t stall_ms = 20'000) {
    RawServer server([reply](const std::string&) { return reply; });
    auto request = fetch_of(server.url(), "f");
    request.set_offset(offset);
    request.set_stall_timeout_ms(stall_ms);
    return fetch(request);
  }
  Fetched fetch_from(const std::string& bytes, std::uint64_t offset = 0) { return fetch_from(RawServer::Reply{.bytes = bytes}, offset); }
  static void expect(const Fetched& got, picket_status status, const std::string& text) {
    EXPECT_EQ(got.answer.status, status) << got.answer.payload;
    EXPECT_NE(got.answer.payload.find(text), std::string::npos) << got.answer.payload;
  }
};

TEST_F(SourceHttp, brings_a_file_and_tells_the_server_nothing_but_its_name) {
  const std::string content = pattern(700'000);
  RawServer server([&](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("200 OK", content)}; });
  const auto got = fetch(fetch_of(server.url() + "base", "a/b%20c.12.zst"));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content);
  EXPECT_EQ(got.reply.size(), content.size());
  EXPECT_EQ(got.reply.from(), server.url() + "base/a/b%20c.12.zst");
  EXPECT_EQ(server.heads().at(0), "GET /base/a/b%20c.12.zst HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                                      "\r\nUser-Agent: Picket/" PICKET_TEST_VERSION "\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n");
}

TEST_F(SourceHttp, maps_each_status_to_what_the_engine_decides_by) {
  expect(fetch_from(RawServer::answer("404 Not Found", "page")), PICKET_E_NOT_FOUND, "HTTP 404, not found");
  expect(fetch_from(RawServer::answer("410 Gone")), PICKET_E_NOT_FOUND, "HTTP 410");
  expect(fetch_from(RawServer::answer("401 Unauthorized")), PICKET_E_DENIED, "HTTP 401");
  expect(fetch_from(RawServer::answer("403 Forbidden")), PICKET_E_DENIED, "HTTP 403, forbidden");
  expect(fetch_from(RawServer::answer("407 Proxy Authentication Required")), PICKET_E_DENIED, "the proxy wants");
  expect(fetch_from(RawServer::answer("429 Too Many Requests", "", "Retry-After: 120\r\n")), PICKET_E_UNAVAILABLE, "HTTP 429, asked too often, try again in 120 s");
  expect(fetch_from(RawServer::answer("503 Service Unavailable", "", "Retry-After: 7\r\n")), PICKET_E_UNAVAILABLE, "try again in 7 s");
  expect(fetch_from(RawServer::answer("500 Internal Server Error")), PICKET_E_UNAVAILABLE, "HTTP 500");
  expect(fetch_from(RawServer::answer("504 Gateway Timeout")), PICKET_E_TIMEOUT, "HTTP 504");
  expect(fetch_from(RawServer::answer("204 No Content")), PICKET_E_UNAVAILABLE, "HTTP 204");
}

TEST_F(SourceHttp, never_puts_an_error_page_into_the_stream) {
  const auto got = fetch_from(RawServer::answer("404 Not Found", pattern(1'000'000)));
  expect(got, PICKET_E_NOT_FOUND, "404");
  EXPECT_EQ(got.answer.stream, "");
}

TEST_F(SourceHttp, resumes_at_the_offset_with_206) {
  RawServer server([&](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("206 Partial Content", "56789", "Content-Range: bytes 5-9/10\r\n")}; });
  auto request = fetch_of(server.url(), "f");
  request.set_offset(5);
  request.set_max_bytes(5);
  const auto got = fetch(request);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, "56789");
  EXPECT_EQ(got.reply.offset(), 5u);
  EXPECT_EQ(got.reply.size(), 10u);
  EXPECT_NE(server.heads().at(0).find("\r\nRange: bytes=5-9\r\n"), std::string::npos) << server.heads().at(0);
}

TEST_F(SourceHttp, begins_anew_where_the_server_cannot_resume) {
  const auto got = fetch_from(RawServer::answer("200 OK", "0123456789"), 5);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, "0123456789");
  EXPECT_EQ(got.reply.offset(), 0u);
}

TEST_F(SourceHttp, refuses_another_range_than_it_asked_for) {
  for (const char* range : {"bytes 4-9/10", "bytes 0-9/10", "bytes 5-9/7", "bytes 9-5/10", "bytes x-y/10", "bytes */10", "items 5-9/10", "bytes 5-9"})
    expect(fetch_from(RawServer::answer("206 Partial Content", "56789", std::string("Content-Range: ") + range + "\r\n"), 5), PICKET_E_IO, "another part of the file");
  expect(fetch_from(RawServer::answer("206 Partial Content", "56789"), 5), PICKET_E_IO, "another part of the file");
  expect(fetch_from(RawServer::answer("206 Partial Content", "01234", "Content-Range: bytes 0-4/5\r\n")), PICKET_E_IO, "another part of the file");
}

TEST_F(SourceHttp, understands_that_nothing_is_left_and_that_the_file_is_shorter) {
  const auto complete = fetch_from(RawServer::answer("416 Range Not Satisfiable", "", "Content-Range: bytes */5\r\n"), 5);
  ASSERT_EQ(complete.answer.status, PICKET_OK) << complete.answer.payload;
  EXPECT_EQ(complete.reply.sent(), 0u);
  EXPECT_EQ(complete.reply.offset(), 5u);
  expect(fetch_from(RawServer::answer("416 Range Not Satisfiable", "", "Content-Range: bytes */3\r\n"), 5), PICKET_E_IO, "has only 3 bytes, fewer than the 5");
  expect(fetch_from(RawServer::answer("416 Range Not Satisfiable"), 5), PICKET_E_IO, "does not resume at 5");
}

TEST_F(SourceHttp, says_that_the_end_is_missing_and_keeps_what_came) {
  const auto got = fetch_from("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this");
  expect(got, PICKET_E_IO, "closed the connection before the end of the file");
  EXPECT_EQ(got.answer.stream, "only this");
}

TEST_F(SourceHttp, takes_no_more_than_max_bytes_of_an_endless_answer) {
  RawServer server([&](const std::string&) {
    return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n\r\n", .endless = true, .again = std::string(65536, 'x')};
  });
  auto request = fetch_of(server.url(), "f");
  request.set_max_bytes(300'001);
  const auto got = fetch(request);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream.size(), 300'001u);
  EXPECT_EQ(got.reply.size(), 0u);  // not known
}

TEST_F(SourceHttp, gives_up_on_endless_headers) {
  expect(fetch_from(RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n", .endless = true, .again = "X-More: " + std::string(1000, 'x') + "\r\n"}), PICKET_E_UNAVAILABLE, "");
}

TEST_F(SourceHttp, gives_up_on_a_server_that_never_answers) {
  expect(fetch_from(RawServer::Reply{.bytes = "", .hold = true}, 0, 300), PICKET_E_TIMEOUT, "slower than 1 bytes per second for 300 ms");
}

TEST_F(SourceHttp, gives_up_on_a_server_that_stops_in_the_middle) {
  // Longer each time, for on a slow computer not even the beginning may come in time.
  Fetched got;
  std::uint32_t stall_ms = 300;
  for (; stall_ms < 20'000; stall_ms *= 4) {
    got = fetch_from(RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this", .hold = true}, 0, stall_ms);
    if (!got.answer.stream.empty()) break;
  }
  expect(got, PICKET_E_TIMEOUT, "nothing came for " + std::to_string(stall_ms) + " ms");
  EXPECT_EQ(got.answer.stream, "only this");  // and what came is of use
}

TEST_F(SourceHttp, does_not_call_slow_who_waits_for_our_credit) {
  const std::string content = pattern(400'000);
  RawServer server([&](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("200 OK", content)}; });
  auto request = fetch_of(server.url(), "f");
  // Longer each time, for on a slow computer the server may be too slow, too.
  bool is_whole = false;
  for (std::uint32_t stall_ms = 100; !is_whole && stall_ms < 10'000; stall_ms *= 8) {
    request.set_stall_timeout_ms(stall_ms);
    const auto id = ask(request, 1000);
    const bool waits = begins(id) && !host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::milliseconds(4 * stall_ms));
    is_whole = finish(id, 1000).answer.stream == content && waits;
  }
  EXPECT_TRUE(is_whole);
}

TEST_F(SourceHttp, says_what_is_wrong_with_an_answer_that_is_no_http) {
  expect(fetch_from("SSH-2.0-OpenSSH_9.2\r\n"), PICKET_E_UNAVAILABLE, "speaks another protocol");
  expect(fetch_from(""), PICKET_E_UNAVAILABLE, "127.0.0.1");
  expect(fetch_from(RawServer::answer("200 OK", "xx", "Content-Encoding: gzip\r\n")), PICKET_E_IO, "Content-Encoding gzip");
}

TEST_F(SourceHttp, says_that_nobody_listens) {
  std::string url;
  {
    RawServer gone([](const std::string&) { return RawServer::Reply{}; });
    url = gone.url();
  }
  expect(fetch(fetch_of(url, "f")), PICKET_E_UNAVAILABLE, "onnect");
  EXPECT_EQ(probe(url).status, PICKET_E_UNAVAILABLE);
}

TEST_F(SourceHttp, says_that_a_name_is_unknown) {
  expect(fetch(fetch_of("http://no-such-host.invalid/", "f")), PICKET_E_UNAVAILABLE, "no-such-host.invalid");
}

TEST_F(SourceHttp, follows_redirects_on_the_same_host_three_times) {
  int hops = 3;
  RawServer server([&](const std::string& head) {
    if (head.find("GET /end") == 0) return RawServer::Reply{.bytes = RawServer::answer("200 OK", "here")};
    return RawServer::Reply{.bytes = RawServer::answer("302 Found", "moved", hops-- > 1 ? "Location: /again\r\n" : "Location: /end\r\n")};
  });
  const auto got = fetch(fetch_of(server.url(), "f"));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, "here");
  EXPECT_EQ(got.reply.from(), server.url() + "end");
  hops = 100;
  expect(fetch(fetch_of(server.url(), "f")), PICKET_E_UNAVAILABLE, "redirected more than 3 times");
}

TEST_F(SourceHttp, follows_no_redirect_to_another_host_or_port) {
  RawServer other([](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("200 OK", "stolen")}; });
  for (const std::string& to : {other.url() + "f", "http://localhost:" + std::to_string(other.port()) + "/f", std::string("https://login.example/"),
                                std::string("file:///etc/passwd"), std::string("ftp://127.0.0.1/f")}) {
    const auto got = fetch_from(RawServer::answer("302 Found", "", "Location: " + to + "\r\n"));
    expect(got, PICKET_E_UNAVAILABLE, "not followed");
    EXPECT_EQ(got.answer.stream, "");
  }
  EXPECT_EQ(other.accepted(), 0u);
}

TEST_F(SourceHttp, refuses_paths_that_a_server_could_read_as_another_file) {
  for (const char* path : {"", "/x", "../x", "a/../b", "a//b", "a/", "a/%2e%2E/b", ".%2e/b", "%2e", "a?b", "a#b", "a b", "a\\b", "a\rb"})
    expect(fetch(fetch_of("http://127.0.0.1:1/", path)), PICKET_E_INVALID, "path");
}

TEST_F(SourceHttp, names_a_wrong_option_and_repeats_no_secret) {
  const auto refused = [&](const std::string& location, const std::string& options, const std::string& text) {
    const auto got = fetch(fetch_of(location, "f", options));
    EXPECT_EQ(got.answer.status, PICKET_E_INVALID) << options << got.answer.payload;
    EXPECT_NE(got.answer.payload.find(text), std::string::npos) << got.answer.payload;
    EXPECT_EQ(got.answer.payload.find("hunter2"), std::string::npos) << got.answer.payload;
  };
  refused("http://u:hunter2@127.0.0.1:1/", "", "put them into the options user and password");
  refused("ftp://127.0.0.1/", "", "must begin with https:// or http://");
  refused("not a url", "", "is not a URL");
  refused("http://127.0.0.1:1/?a=hunter2", "", "must have no '?'");
  refused("http://127.0.0.1:1/", "[1]", "not a JSON object");
  refused("http://127.0.0.1:1/", R"({"passwort":"hunter2"})", "knows no option 'passwort'");
  refused("http://127.0.0.1:1/", R"({"proxy":5})", "option proxy must be a text");
  refused("http://127.0.0.1:1/", R"({"proxy":"u:hunter2@h"})", "proxy: is neither");
  refused("http://127.0.0.1:1/", R"({"proxy":"gopher://u:hunter2@h"})", "scheme gopher");
  refused("http://127.0.0.1:1/", R"({"allow_http":"yes"})", "must be true or false");
  refused("http://127.0.0.1:1/", R"({"user":"u","password":"hunter2"})", "over https only");
  refused("https://127.0.0.1:1/", R"({"client_key":"/k"})", "belong together");
  refused("https://127.0.0.1:1/", R"({"ca_file":"ca.pem"})", "option ca_file must be an absolute path");
  refused("https://127.0.0.1:1/", R"({"ca_file":"/nowhere/ca.pem"})", "ca_file");
}

TEST_F(SourceHttp, goes_through_a_proxy_with_its_password_and_tells_nobody) {
  RawServer proxy([](const std::string& head) {
    return head.find("Proxy-Authorization: Basic ") == std::string::npos
               ? RawServer::Reply{.bytes = RawServer::answer("407 Proxy Authentication Required", "", "Proxy-Authenticate: Basic realm=x\r\nConnection: close\r\n")}
               : RawServer::Reply{.bytes = RawServer::answer("200 OK", "through")};
  });
  const std::string at = "127.0.0.1:" + std::to_string(proxy.port());
  const auto got = fetch(fetch_of("http://updates.example/", "f", R"({"proxy":"http://me:hunter2@)" + at + "\"}"));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_EQ(got.answer.stream, "through");
  EXPECT_EQ(proxy.heads().at(0).find("GET http://updates.example/f HTTP/1.1"), 0u) << proxy.heads().at(0);
  expect(fetch(fetch_of("http://updates.example/", "f", R"({"proxy":"http://)" + at + "\"}")), PICKET_E_DENIED, "HTTP 407");
  for (const auto& record : host_.logs()) EXPECT_EQ(record.text.find("hunter2"), std::string::npos) << record.text;
}

TEST_F(SourceHttp, says_once_per_source_that_http_is_plain_and_can_forbid_it) {
  RawServer server([](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("200 OK", "x")}; });
  fetch(fetch_of(server.url(), "f"));
  fetch(fetch_of(server.url(), "f"));
  ASSERT_EQ(host_.logs().size(), 1u);
  EXPECT_NE(host_.logs()[0].text.find("source 'test' uses plain http"), std::string::npos);
  expect(fetch(fetch_of(server.url(), "f", R"({"allow_http":false})")), PICKET_E_DENIED, "plain http is switched off");
  ASSERT_EQ(host_.apply(R"({"proxy":"none","allow_http":false})", 2), PICKET_OK);
  expect(fetch(fetch_of(server.url(), "f", R"({"allow_http":true})")), PICKET_E_DENIED, "plain http is switched off");
}

TEST_F(SourceHttp, ends_a_cancelled_transfer_and_serves_others) {
  RawServer server([](const std::string& head) {
    if (head.find("GET /slow") == 0) return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n\r\nbegin", .hold = true};
    return RawServer::Reply{.bytes = RawServer::answer("200 OK", "quick")};
  });
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(ask(fetch_of(server.url(), "slow"), 1000));  // as many as run at the same time
  for (const auto id : ids) ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).stream == "begin"; }));
  const auto waiting = ask(fetch_of(server.url(), "quick"), 1000);
  host_.cancel(ids[0]);
  EXPECT_EQ(finish(waiting, 1000).answer.stream, "quick");
  for (const auto id : ids) host_.cancel(id);
}

TEST_F(SourceHttp, answers_busy_when_too_much_waits) {
  RawServer server([](const std::string&) { return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n\r\nbegin", .hold = true}; });
  std::vector<std::uint64_t> running, rest;
  for (int i = 0; i < 4; ++i) running.push_back(ask(fetch_of(server.url(), "f"), 1000));
  for (const auto id : running) ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).stream == "begin"; }));
  for (int i = 0; i < 65; ++i) rest.push_back(ask(fetch_of(server.url(), "f"), 1000));
  ASSERT_TRUE(host_.wait_for([&] { return host_.answer(rest.back()).done; }));
  EXPECT_EQ(host_.answer(rest.back()).status, PICKET_E_BUSY);
  EXPECT_FALSE(host_.answer(rest.front()).done);
}

TEST_F(SourceHttp, stops_in_the_middle_and_starts_again) {
  RawServer server([](const std::string& head) {
    if (head.find("GET /slow") == 0) return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\n\r\nbegin", .hold = true};
    return RawServer::Reply{.bytes = RawServer::answer("200 OK", "quick")};
  });
  for (int round = 0; round < 3; ++round) {
    auto slow = fetch_of(server.url(), "slow");
    slow.set_stall_timeout_ms(20'000);
    const auto id = ask(slow, 1000);
    ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).stream == "begin"; }));
    ASSERT_EQ(host_.stop(), PICKET_OK);
    EXPECT_EQ(host_.answer(id).status, PICKET_E_UNAVAILABLE);
    ASSERT_EQ(host_.start(R"({"proxy":"none"})"), PICKET_OK);
    EXPECT_EQ(fetch(fetch_of(server.url(), "quick")).answer.stream, "quick");
  }
  EXPECT_LT(host_.longest_call(), std::chrono::seconds(10));  // half of what the transfer may be silent
}

TEST_F(SourceHttp, probes_with_one_small_question) {
  RawServer server([](const std::string&) { return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 123456\r\n\r\n"}; });
  EXPECT_EQ(probe(server.url() + "repo").status, PICKET_OK);
  EXPECT_EQ(server.heads().at(0).find("HEAD /repo/metadata/timestamp.json HTTP/1.1\r\n"), 0u) << server.heads().at(0);
  RawServer empty([](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("404 Not Found")}; });
  EXPECT_EQ(probe(empty.url()).status, PICKET_E_NOT_FOUND);
  RawServer old([](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("405 Method Not Allowed")}; });
  EXPECT_EQ(probe(old.url()).status, PICKET_OK);
}

TEST_F(SourceHttp, answers_garbage_with_invalid) {
  for (const auto* topic : {"picket.source.fetch", "picket.source.probe"})
    for (const std::string& payload : {std::string("\xff\xff\xff"), std::string(1000, '\x0a'), pattern(5000)}) {
      const auto id = host_.request({.topic = topic, .payload = payload});
      EXPECT_EQ(host_.answer(id).status, PICKET_E_INVALID);
    }
  const auto id = host_.request({.topic = "picket.source.other"});
  EXPECT_EQ(host_.answer(id).status, PICKET_E_UNSUPPORTED);
}

TEST_F(SourceHttp, refuses_settings_that_no_host_would_give_and_keeps_the_old) {
  for (const char* settings : {"", "[]", R"({"proxy":"x"})", R"({"parallel_fetches":0})", R"({"allow_http":1})", R"({"new":1})"}) {
    EXPECT_EQ(host_.apply(settings, 2), PICKET_E_INVALID) << settings;
    EXPECT_NE(host_.error(), "");
  }
  RawServer server([](const std::string&) { return RawServer::Reply{.bytes = RawServer::answer("200 OK", "x")}; });
  EXPECT_EQ(fetch(fetch_of(server.url(), "f")).answer.stream, "x");
}

}  // namespace
