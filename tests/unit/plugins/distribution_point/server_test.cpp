// The server as a client sees it, over real sockets.
#include "server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "support/tls_certificate.hpp"
#include "unit/plugins/distribution_point/serving_client.hpp"
#include "unit/plugins/source_rig.hpp"

using namespace distribution_point;
using picket::plugin_tests::TemporaryFolder;
using picket::plugin_tests::pattern;

namespace {

class PointServer : public ::testing::Test {
 protected:
  void SetUp() override {
    small_ = pattern(1024);
    large_ = pattern(3'000'000);
    folder_.write("set/metadata/timestamp.json", "{\"t\":1}");
    folder_.write("set/metadata/1.root.json", "root");
    folder_.write("set/targets/a/small", small_);
    folder_.write("set/targets/a/large", large_);
    folder_.write("set/targets/empty", "");
    folder_.write("secret", "secret");
    settings_.addresses = {"127.0.0.1"};
    settings_.threads = 2;
  }
  void start(bool tls = false) {
    if (tls) {
      settings_.certificate = folder_.path() / "c.pem";
      settings_.key = folder_.path() / "k.pem";
      ASSERT_TRUE(picket::support::make_certificate(settings_.certificate, settings_.key));
      settings_.https_port = 0;
    }
    auto server = Server::start(settings_, {[](const picket::Address& from, std::string_view path, std::string_view body) {
                                              return ApiAnswer{200, from.text() + " " + std::string(path) + " " + std::string(body)};
                                            },
                                            {}});
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    serve("set");
  }
  void serve(const std::string& set) {
    auto catalogue = Catalogue::load(folder_.path() / set);
    ASSERT_TRUE(catalogue) << catalogue.error().message;
    catalogue->set_point("0123abcd office");
    server_->serve(std::make_shared<Catalogue>(std::move(*catalogue)));
  }
  [[nodiscard]] std::uint16_t port(std::size_t which = 0) const {
    const auto text = server_->addresses().at(which);
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  }
  TemporaryFolder folder_;
  std::string small_, large_;
  ServerSettings settings_;
  std::unique_ptr<Server> server_;
};

TEST_F(PointServer, serves_small_and_large_files_over_one_connection) {
  start(true);
  for (const std::size_t which : {0u, 1u}) {
    Client client(port(which), which == 1);
    ASSERT_TRUE(client.connected());
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(client.get("/targets/a/small").body == small_);
      EXPECT_TRUE(client.get("/targets/a/large").body == large_);
      const auto empty = client.get("/targets/empty");
      EXPECT_EQ(empty.status, 200);
      EXPECT_EQ(empty.header("Content-Length"), "0");
    }
  }
  EXPECT_EQ(server_->counters().requests, 18u);
}

TEST_F(PointServer, says_its_name_with_what_every_check_asks_for_and_with_nothing_else) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/metadata/timestamp.json").header("Picket-Point"), "0123abcd office");
  EXPECT_EQ(client.get("/metadata/1.root.json").header("Picket-Point"), "");
  EXPECT_EQ(client.get("/targets/a/small").status, 200);
}

TEST_F(PointServer, answers_pipelined_requests_in_order) {
  start(true);
  for (const std::size_t which : {0u, 1u}) {
    Client client(port(which), which == 1);
    std::string requests;
    for (int i = 0; i < 200; ++i) requests += std::string("GET /targets/a/") + (i % 50 == 7 ? "large" : "small") + " HTTP/1.1\r\nHost: x\r\n\r\n";
    std::thread sender([&] { EXPECT_TRUE(client.send(requests)); });
    if (which == 1) sender.join();  // one TLS object is for one thread
    for (int i = 0; i < 200; ++i) ASSERT_EQ(client.receive().body.size(), i % 50 == 7 ? large_.size() : small_.size()) << i;
    if (which == 0) sender.join();
  }
}

TEST_F(PointServer, serves_parts_and_says_what_has_not_changed) {
  start();
  Client client(port());
  const auto whole = client.get("/targets/a/large");
  const auto etag = whole.header("ETag"), modified = whole.header("Last-Modified");
  EXPECT_EQ(whole.header("Accept-Ranges"), "bytes");
  const auto part = client.get("/targets/a/large", "Range: bytes=1000000-1999999\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.header("Content-Range"), "bytes 1000000-1999999/3000000");
  EXPECT_TRUE(part.body == large_.substr(1'000'000, 1'000'000));
  EXPECT_TRUE(client.get("/targets/a/small", "Range: bytes=-24\r\n").body == small_.substr(1000));
  const auto beyond = client.get("/targets/a/small", "Range: bytes=1024-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("Content-Range"), "bytes */1024");
  EXPECT_EQ(client.get("/targets/a/large", "If-None-Match: \"x\", " + etag + "\r\n").status, 304);
  EXPECT_EQ(client.get("/targets/a/large", "If-None-Match: \"x\"\r\nIf-Modified-Since: " + modified + "\r\n").status, 200);
  EXPECT_EQ(client.get("/targets/a/large", "If-Modified-Since: " + modified + "\r\n").status, 304);
  EXPECT_EQ(client.get("/targets/a/small", "Range: bytes=0-9\r\nIf-Range: \"other\"\r\n").status, 200);
  EXPECT_EQ(client.get("/targets/a/large", "Range: bytes=0-9\r\nIf-Range: " + etag + "\r\n").status, 206);
  const auto head = client.get("/targets/a/large", "Range: bytes=0-9\r\n", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "3000000");
  EXPECT_EQ(client.get("/targets/a/small").body.size(), 1024u);  // HEAD brought no body
}

TEST_F(PointServer, tells_who_got_a_file_and_not_who_only_asked) {
  std::atomic<int> files{0};
  auto catalogue = Catalogue::load(folder_.path() / "set");
  ASSERT_TRUE(catalogue) << catalogue.error().message;
  auto server = Server::start(settings_, {{}, {}, std::make_shared<Catalogue>(std::move(*catalogue)), [&](const picket::Address& from) { files += from.text() == "127.0.0.1"; }});
  ASSERT_TRUE(server) << server.error().message;
  server_ = std::move(*server);
  Client client(port());
  EXPECT_EQ(client.get("/targets/none").status, 404);
  EXPECT_EQ(client.get("/targets/a/small", "", "DELETE").status, 405);
  EXPECT_EQ(files, 0);
  const auto got = client.get("/targets/a/small");
  EXPECT_EQ(client.get("/targets/a/small", "If-None-Match: " + got.header("ETag") + "\r\n").status, 304);
  EXPECT_EQ(files, 2);
}

TEST_F(PointServer, packs_metadata_for_who_takes_it_packed) {
  std::string json;
  for (int i = 0; i < 200; ++i) json += "{\"name\":\"component-" + std::to_string(i) + "\",\"version\":1},";
  folder_.write("set/metadata/7.snapshot.json", json);
  start();
  Client client(port());
  const auto plain = client.get("/metadata/7.snapshot.json");
  EXPECT_EQ(plain.body, json);
  EXPECT_EQ(plain.header("Content-Encoding"), "");
  EXPECT_EQ(plain.header("Vary"), "Accept-Encoding");
  const auto packed = client.get("/metadata/7.snapshot.json", "Accept-Encoding: deflate, gzip\r\n");
  EXPECT_EQ(packed.header("Content-Encoding"), "gzip");
  EXPECT_LT(packed.body.size() * 4, json.size());
  EXPECT_EQ(packed.body.substr(0, 2), "\x1f\x8b");
  std::string unpacked(json.size() + 1, '\0');
  z_stream stream{};
  std::string in = packed.body;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  stream.avail_out = static_cast<uInt>(unpacked.size());
  ASSERT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  unpacked.resize(stream.total_out);
  ::inflateEnd(&stream);
  EXPECT_TRUE(unpacked == json);
  EXPECT_NE(packed.header("ETag"), plain.header("ETag"));
  for (const auto& tag : {plain.header("ETag"), packed.header("ETag")})
    EXPECT_EQ(client.get("/metadata/7.snapshot.json", "Accept-Encoding: gzip\r\nIf-None-Match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(client.get("/metadata/7.snapshot.json", "Accept-Encoding: gzip\r\nRange: bytes=0-4\r\n").body, json.substr(0, 5));
  EXPECT_TRUE(client.get("/targets/a/small", "Accept-Encoding: gzip\r\n").body == small_);  // content is packed already
}

TEST_F(PointServer, leads_nowhere_else) {
  std::filesystem::create_symlink(folder_.path() / "secret", folder_.path() / "set/targets/link");
  start();
  Client client(port());
  for (const char* path : {"/", "/secret", "/../secret", "/targets/../../secret", "/%2e%2e/secret", "/targets/..%2f..%2fsecret", "//metadata/timestamp.json", "/metadata", "/metadata/",
                           "/targets/a/../a/small", "/targets/link", "/targets/a/small/"})
    EXPECT_EQ(client.get(path).status, 404) << path;
  EXPECT_EQ(client.get("/metadata/%74imestamp.json?now").body, "{\"t\":1}");
}

TEST_F(PointServer, answers_wrong_requests_and_goes_on) {
  start();
  {
    Client client(port());
    EXPECT_EQ(client.get("/metadata/1.root.json", "", "DELETE").status, 405);
    EXPECT_EQ(client.get("/metadata/1.root.json").status, 200);  // the same connection
    EXPECT_TRUE(client.send("POST /v1/demand HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"));
    EXPECT_TRUE(client.send("lo"));
    EXPECT_EQ(client.receive().body, "127.0.0.1 /v1/demand hello");
    EXPECT_TRUE(client.send("POST /v1/demand HTTP/1.1\r\nHost: x\r\nContent-Length: 260000\r\n\r\n" + std::string(260'000, 'z')));
    EXPECT_EQ(client.receive().body.size(), 260'000u + 21);
    EXPECT_EQ(client.get("/metadata/1.root.json", "Connection: close\r\n").body, "root");
    EXPECT_TRUE(client.is_closed());
  }
  for (const auto& [bytes, status] : {std::pair<std::string, int>{"\x16\x03\x01 hello", 400}, {"GET / HTTP/1.1\r\nX: " + std::string(10'000, 'a') + "\r\n\r\n", 431},
                                      {"POST /v1/demand HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n", 413}}) {
    Client client(port());
    EXPECT_TRUE(client.send(bytes));
    EXPECT_EQ(client.receive().status, status);
    EXPECT_TRUE(client.is_closed());
  }
}

TEST_F(PointServer, gives_long_requests_no_more_memory_than_it_has_for_them_and_goes_on_serving) {
  settings_.most_read = 100'000;
  start();
  const auto post = [](std::size_t bytes) { return "POST /v1/demand HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'z'); };
  for (int i = 0; i < 3; ++i) {   // what was held is given back
    Client large(port()), small(port());
    (void)large.send(post(200'000));
    EXPECT_EQ(large.receive().body, "too many long requests at once\n");
    EXPECT_EQ(small.get("/metadata/1.root.json").body, "root");
    for (int again = 0; again < 3; ++again) {
      EXPECT_TRUE(small.send(post(60'000)));
      EXPECT_EQ(small.receive().status, 200);
    }
  }
}

TEST_F(PointServer, ends_who_sends_or_takes_too_slowly) {
  const auto all_are_ended = [&](std::chrono::seconds time) {
    settings_.head_timeout = settings_.idle_timeout = settings_.send_timeout = time;
    start();
    Client slow(port()), idle(port()), silent(port()), lazy(port());
    bool in_time = slow.send("GET /metadata/1.ro") && idle.get("/metadata/1.root.json").status == 200;
    // More than the kernel buffers, and nothing is taken.
    for (int i = 0; i < 20; ++i) in_time = lazy.send("GET /targets/a/large HTTP/1.1\r\nHost: x\r\n\r\n") && in_time;
    in_time = slow.receive().status == 408 && in_time;
    EXPECT_TRUE(idle.is_closed());
    EXPECT_TRUE(silent.is_closed());
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (server_->counters().connections > 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_EQ(server_->counters().connections, 0u);
    return in_time;
  };
  // On a slow computer some may be ended before they have begun.
  EXPECT_TRUE(all_are_ended(std::chrono::seconds(1)) || all_are_ended(std::chrono::seconds(10)));
}

TEST_F(PointServer, turns_away_what_is_too_many) {
  settings_.most_per_address = 2;
  start();
  {
    Client one(port()), two(port());
    EXPECT_EQ(one.get("/metadata/1.root.json").status, 200);
    EXPECT_EQ(two.get("/metadata/1.root.json").status, 200);
    Client three(port());
    const auto got = three.receive();
    EXPECT_EQ(got.status, 503);
    EXPECT_EQ(got.header("Retry-After"), "10");
    EXPECT_EQ(one.get("/metadata/1.root.json").status, 200);
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (server_->counters().connections > 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  Client again(port());
  EXPECT_EQ(again.get("/metadata/1.root.json").status, 200);
}

TEST_F(PointServer, slows_bulk_transfers_of_a_range_and_nothing_else) {
  settings_.bandwidth = {{picket::AddressRange::parse("127.0.0.0/8").value(), 2'000'000, {}}};
  start(true);
  for (const std::size_t which : {0u, 1u}) {
    Client client(port(which), which == 1);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(client.get("/targets/a/large").body == large_);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took.count(), 1.1);  // 3 MB, less one burst of 0.4 MB, at 2 MB/s
    EXPECT_TRUE(client.get("/targets/a/small").body == small_);
  }
}

TEST_F(PointServer, follows_the_next_rule_when_a_window_ends_in_the_middle_of_an_answer) {
  std::tm noon{};
  noon.tm_year = 126;
  noon.tm_mday = 5;
  noon.tm_hour = 11;
  noon.tm_min = 59;
  noon.tm_isdst = -1;
  std::atomic<std::time_t> now{std::mktime(&noon)};
  settings_.bandwidth = {{picket::AddressRange::parse("127.0.0.0/8").value(), 1000, {.from = 8 * 60, .to = 12 * 60}}};  // it would take 50 minutes
  auto server = Server::start(settings_, {.on_post = {}, .warn = {}, .clock = [&] { return now.load(); }});
  ASSERT_TRUE(server) << server.error().message;
  server_ = std::move(*server);
  serve("set");
  Client client(port());
  ASSERT_TRUE(client.send("GET /targets/a/large HTTP/1.1\r\nHost: point\r\n\r\n"));
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (server_->counters().sent_bytes == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  now += 60;
  EXPECT_TRUE(client.receive().body == large_);
  server_.reset();   // before its clock
}

TEST_F(PointServer, knows_every_file_of_the_next_set_and_no_metadata_that_lead_to_it) {
  const auto digest = std::string(64, 'a');
  for (const auto& file : {std::string("metadata/timestamp.json"), std::string("metadata/2.root.json"), std::string("metadata/2.snapshot.json"), "targets/a/" + digest + ".my.root.json"})
    folder_.write("next/" + file, "new");
  auto both = Catalogue::load(folder_.path() / "next");
  const auto old = Catalogue::load(folder_.path() / "set");
  ASSERT_TRUE(both && old);
  both->take_newest(*old);
  EXPECT_NE(both->find("/metadata/2.snapshot.json"), nullptr);
  EXPECT_NE(both->find("/targets/a/" + digest + ".my.root.json"), nullptr) << "only its name is like a root's";
  EXPECT_EQ(both->find("/metadata/2.root.json"), nullptr);
  EXPECT_NE(both->find("/metadata/1.root.json"), nullptr);
  ASSERT_NE(both->find("/metadata/timestamp.json"), nullptr);
  EXPECT_EQ(both->find("/metadata/timestamp.json")->etag, old->find("/metadata/timestamp.json")->etag);
}

TEST_F(PointServer, changes_what_is_served_between_two_requests_of_a_connection) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/metadata/timestamp.json").body, "{\"t\":1}");
  folder_.write("next/metadata/timestamp.json", "{\"t\":2}");
  serve("next");
  EXPECT_EQ(client.get("/metadata/timestamp.json").body, "{\"t\":2}");
  EXPECT_EQ(client.get("/targets/a/small").status, 404);
}

TEST_F(PointServer, says_why_it_cannot_listen) {
  start();
  settings_.http_port = port();
  const auto second = Server::start(settings_, {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("listen on 127.0.0.1:" + std::to_string(port())), std::string::npos) << second.error().message;
  settings_.http_port = -1;
  settings_.https_port = 0;
  settings_.certificate = folder_.path() / "secret";
  settings_.key = folder_.path() / "none.pem";
  EXPECT_NE(Server::start(settings_, {}).error().message.find("none.pem"), std::string::npos);
  settings_.key = folder_.path() / "secret";
  EXPECT_NE(Server::start(settings_, {}).error().message.find("is no certificate in PEM"), std::string::npos);
}

TEST_F(PointServer, says_of_no_file_that_it_is_not_there_when_the_next_version_may_have_it) {
  start();
  Client client(port());
  ASSERT_EQ(client.get("/metadata/9.snapshot.json").status, 404);
  std::thread leaving([&] { server_->drain(kPatience); });
  for (;;) {
    const auto got = client.get("/metadata/9.snapshot.json");
    if (got.status == 0) break;   // closed: the client asks whoever listens now
    EXPECT_EQ(got.header("Connection"), "") << "an answer of the version that leaves";
  }
  leaving.join();
}

TEST_F(PointServer, serves_a_renewed_certificate_without_being_started_again) {
  settings_.certificate_look = std::chrono::seconds(1);
  start(true);
  Client kept(port(1), true);
  const auto before = kept.certificate();
  ASSERT_NE(before, "");
  ASSERT_TRUE(picket::support::make_certificate(settings_.certificate, settings_.key));
  const auto until = std::chrono::steady_clock::now() + kPatience;
  auto now = before;
  while (now == before && std::chrono::steady_clock::now() < until) now = Client(port(1), true).certificate();
  EXPECT_NE(now, before);
  EXPECT_NE(now, "") << "it still gives one";
  EXPECT_TRUE(kept.get("/targets/a/small").body == small_) << "who came earlier goes on";
}

// As a new version of the plugin takes over from the old one.
TEST_F(PointServer, gives_its_sockets_away_and_ends_what_is_under_way) {
  start(true);
  for (const std::size_t which : {0u, 1u}) {
    SCOPED_TRACE(which == 0 ? "http" : "https");
    const auto where = port(which);
    const auto addresses = server_->addresses();
    Client kept(where, which == 1), slow(where, which == 1);
    EXPECT_TRUE(kept.get("/targets/a/small").body == small_);
    ASSERT_TRUE(slow.send("GET /targets/a/large HTTP/1.1\r\nHost: point\r\n\r\n"));
    picket::plugin::Sockets sockets;
    for (const auto& [name, fd] : server_->listening()) sockets[name].reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    auto catalogue = Catalogue::load(folder_.path() / "set");
    auto next = Server::start(settings_, {{}, {}, std::make_shared<Catalogue>(std::move(catalogue.value()))}, std::move(sockets));
    ASSERT_TRUE(next) << next.error().message;
    EXPECT_EQ((*next)->addresses(), addresses);
    std::thread leaving([&] { server_->drain(kPatience); });
    // Who comes now is served by the one or the other; from the first request on, with all that is published.
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Client(where, which == 1).get("/targets/a/small").body == small_);
    EXPECT_TRUE(slow.receive().body == large_);  // what was begun is ended
    const auto last = kept.get("/targets/a/small");  // one more time, or it was closed between two requests
    EXPECT_TRUE(last.status == 0 || (last.body == small_ && last.header("Connection") == "close")) << last.head;
    leaving.join();
    EXPECT_EQ(server_->counters().connections, 0u);
    server_ = std::move(*next);
    EXPECT_TRUE(Client(where, which == 1).get("/targets/a/small").body == small_);
  }
}

TEST_F(PointServer, ends_while_clients_are_served) {
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    EXPECT_TRUE(clients.back()->send("GET /targets/a/large HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
  server_.reset();
  for (auto& client : clients) EXPECT_TRUE(client->is_closed());
}

}  // namespace
