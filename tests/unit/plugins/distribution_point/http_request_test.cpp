#include "http_request.hpp"

#include <gtest/gtest.h>

using namespace distribution_point;

namespace {

struct Outcome {
  Parsed parsed;
  Request request;
};
Outcome parse(const std::string& bytes) {
  Outcome out;
  out.parsed = parse_request(bytes, out.request);
  return out;
}
int refused(const std::string& bytes) {
  const auto out = parse(bytes);
  return out.parsed.what == Parsed::What::bad ? out.parsed.status : 0;
}
const std::string kHost = "Host: x\r\n";

TEST(HttpRequest, takes_a_plain_request) {
  const std::string bytes = "GET /metadata/timestamp.json HTTP/1.1\r\nHost: a\r\n\r\nGET /next";
  const auto out = parse(bytes);
  ASSERT_EQ(out.parsed.what, Parsed::What::complete);
  EXPECT_EQ(out.parsed.head_bytes, bytes.size() - 9);
  EXPECT_EQ(out.request.method, Request::Method::get);
  EXPECT_EQ(out.request.path, "/metadata/timestamp.json");
  EXPECT_TRUE(out.request.keep_alive);
}

TEST(HttpRequest, waits_for_the_rest_at_every_byte) {
  const std::string bytes = "HEAD /targets/a HTTP/1.1\r\nHost: a\r\nRange: bytes=1-\r\n\r\n";
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_EQ(parse(bytes.substr(0, size)).parsed.what, Parsed::What::incomplete) << size;
  EXPECT_EQ(parse(bytes).parsed.what, Parsed::What::complete);
}

TEST(HttpRequest, decodes_a_path_once_and_drops_the_query) {
  EXPECT_EQ(parse("GET /a%20b/%252e?x=/y HTTP/1.1\r\n" + kHost + "\r\n").request.path, "/a b/%2e");
  EXPECT_EQ(parse("GET http://point:1/a HTTP/1.1\r\n" + kHost + "\r\n").request.path, "/a");
  EXPECT_EQ(parse("GET http://point HTTP/1.1\r\n" + kHost + "\r\n").request.path, "/");
  for (const char* path : {"a", "*", "/%0", "/%zz", "/%00", "/a\tb", "/a%"}) EXPECT_EQ(refused("GET " + std::string(path) + " HTTP/1.1\r\n" + kHost + "\r\n"), 400) << path;
}

TEST(HttpRequest, keeps_the_connection_as_version_and_header_say) {
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: a\r\nconnection: Close\r\n\r\n").request.keep_alive);
}

TEST(HttpRequest, refuses_what_could_be_read_in_two_ways) {
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n"), 400);                                                    // no host
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"), 400);                                   // a bare line feed
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"), 400);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
  EXPECT_EQ(refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(HttpRequest, names_what_is_too_much) {
  EXPECT_EQ(refused("GET /" + std::string(3000, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n"), 414);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nX: " + std::string(9000, 'a')), 431);
  EXPECT_EQ(refused("POST /v1/demand HTTP/1.1\r\n" + kHost + "Content-Length: 300000\r\n\r\n"), 413);
  EXPECT_EQ(refused("POST /v1/demand HTTP/1.1\r\n" + kHost + "\r\n"), 411);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\n"), 413);
  EXPECT_EQ(refused("GET / HTTP/2.0\r\n" + kHost + "\r\n"), 505);
  EXPECT_EQ(refused("\x16\x03\x01\x02"), 400);  // TLS where there is none
}

TEST(HttpRange, is_cut_at_the_end_of_the_file) {
  const auto expect = [](const char* range, std::uint64_t first, std::uint64_t length) {
    const auto part = part_of(range, 100);
    ASSERT_TRUE(part) << range;
    EXPECT_FALSE(part->unsatisfiable) << range;
    EXPECT_EQ(part->first, first) << range;
    EXPECT_EQ(part->length, length) << range;
  };
  expect("bytes=0-0", 0, 1);
  expect("bytes=10-", 10, 90);
  expect("bytes=90-500", 90, 10);
  expect("bytes=-5", 95, 5);
  expect("bytes=-500", 0, 100);
  EXPECT_TRUE(part_of("bytes=100-", 100)->unsatisfiable);
  EXPECT_TRUE(part_of("bytes=-0", 100)->unsatisfiable);
  EXPECT_TRUE(part_of("bytes=0-", 0)->unsatisfiable);
  for (const char* whole : {"bytes=5-4", "bytes=1-2,5-6", "lines=1-2", "bytes=a-", "bytes=", "bytes=--1", "bytes=18446744073709551616-"}) EXPECT_FALSE(part_of(whole, 100)) << whole;
}

TEST(HttpDate, comes_back) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  for (const char* bad : {"", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(bad)) << bad;
}

}  // namespace
