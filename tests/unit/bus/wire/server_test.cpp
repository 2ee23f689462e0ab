#include "bus/wire/server.hpp"

#include <filesystem>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "bus/wire/client.hpp"
#include "runtime/io_loop.hpp"
#include "unit/bus/fixture.hpp"
#include "unit/bus/wire/remote.hpp"

namespace picket::bus::wire {
namespace {

using testing::HasSubstr;

class ServerTest : public BusTest {
 protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("picket-wire-" + to_hex(random_bytes(6)));
    std::filesystem::create_directory(folder);
    path = folder / "picketd.sock";
    local = attach(recorder, "local", {.publishes = {{"e", Kind::event}}, .subscribes = {"*"}, .answers = {"q"}, .asks = {"*"}});
    options.path = path;
    options.allow = [](const PeerCredentials&) -> Result<AllowList> {
      return AllowList{.publishes = {{"ctl.e", Kind::event}}, .subscribes = {"*"}, .asks = {"*"}};
    };
  }
  void TearDown() override {
    client.reset();
    server.reset();
    std::filesystem::remove_all(folder);
  }
  void start() {
    auto started = Server::start(*router, *loop, options);
    ASSERT_TRUE(started) << started.error().message;
    server = std::move(*started);
  }
  [[nodiscard]] std::unique_ptr<Client> connect() {
    auto connected = Client::connect(path, 20s);
    if (!connected) {
      ADD_FAILURE() << connected.error().message;
      return nullptr;
    }
    return std::move(*connected);
  }
  [[nodiscard]] bool wait_for_connections(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (server->connections() != count && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return server->connections() == count;
  }

  std::filesystem::path folder, path;
  ServerOptions options;
  std::unique_ptr<runtime::IoLoop> loop = runtime::IoLoop::make("test-loop");
  Recorder recorder;
  std::unique_ptr<Peer> local;
  std::unique_ptr<Server> server;
  std::unique_ptr<Client> client;
};

TEST_F(ServerTest, answers_calls_and_streams_and_tells_messages) {
  start();
  client = connect();
  EXPECT_EQ(client->name(), "picketctl");
  recorder.answer = [&](RequestId id, const MessagePtr& m) {
    if (m->payload() == "stream") {
      for (int i = 0; i < 10; ++i) EXPECT_EQ(local->stream_write(id, std::to_string(i)), kOk);
    }
    local->respond(id, kOk, "t", "re: " + std::string(m->payload()));
  };
  const auto reply = client->call({.topic = "q", .payload = "hello"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->payload, "re: hello");
  EXPECT_EQ(reply->content_type, "t");
  EXPECT_EQ(recorder.heard("request")[0].message->sender(), "picketctl");

  ASSERT_TRUE(client->subscribe("e"));
  ASSERT_EQ(local->publish("e", "", "", "news"), kOk);
  const auto stream = client->open({.topic = "q", .payload = "stream"}, 1000);
  ASSERT_TRUE(stream);
  std::string got;
  for (;;) {
    const auto chunk = (*stream)->next(30s);
    ASSERT_TRUE(chunk) << chunk.error().message;
    if (!*chunk) break;
    got += (*chunk)->payload();
  }
  EXPECT_EQ(got, "0123456789");
  EXPECT_EQ((*stream)->reply().payload, "re: stream");
  const auto message = client->next(30s);  // kept while the stream was read
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ((*message)->payload(), "news");
  EXPECT_EQ((*message)->sender(), "local");
  EXPECT_EQ(client->next(1ms).error().code, Code::timeout);
  EXPECT_TRUE(client->unsubscribe("e"));

  ASSERT_EQ(local->subscribe("ctl.e"), kOk);
  ASSERT_TRUE(client->publish("ctl.e", "", "", "from ctl"));
  EXPECT_TRUE(recorder.wait_for("message"));
  EXPECT_EQ(client->publish("e", "", "", "").error().code, Code::denied);
  EXPECT_EQ(client->publish("e", "", "", "").error().message, "publish e: denied");
}

TEST_F(ServerTest, carries_a_large_stream_through_a_small_window) {
  start();
  client = connect();
  const std::string content(3'000'000, 'z');
  const auto stream = client->open({.topic = "q", .timeout = 60s}, 100'000);
  ASSERT_TRUE(stream);
  std::thread writer([&] {
    ASSERT_TRUE(recorder.wait_for("request"));
    const auto id = recorder.heard("request")[0].id;
    std::size_t at = 0;
    while (at < content.size()) {
      const auto credit = std::min<std::uint64_t>({local->credit(id), kMaxPayload, content.size() - at});
      if (credit == 0) std::this_thread::yield();
      else if (local->stream_write(id, std::string_view(content).substr(at, credit)) == kOk) at += credit;
    }
    ASSERT_EQ(local->respond(id, kOk, "", ""), kOk);
  });
  std::size_t got = 0;
  for (;;) {
    const auto chunk = (*stream)->next(30s);
    if (!chunk || !*chunk) {
      EXPECT_TRUE(chunk);
      break;
    }
    got += (*chunk)->payload().size();
  }
  writer.join();
  EXPECT_EQ(got, content.size());
}

TEST_F(ServerTest, calls_time_out_and_are_cancelled_at_the_answerer) {
  start();
  client = connect();
  EXPECT_EQ(client->call({.topic = "q", .timeout = 1s}).error().code, Code::timeout);  // the answerer is to see it
  core::CancelSource source;
  std::thread canceller([&] {
    EXPECT_TRUE(recorder.wait_for("request", 2));
    source.cancel();
  });
  EXPECT_EQ(client->call({.topic = "q", .timeout = 1h}, source.token()).error().code, Code::cancelled);
  canceller.join();
  EXPECT_TRUE(recorder.wait_for("cancel", 2));
  EXPECT_EQ(client->call({.topic = "nothing"}).error().message, "request to nothing: nobody answers it");
  {
    const auto stream = client->open({.topic = "q", .timeout = 1h}, 100);
    ASSERT_TRUE(stream);
    EXPECT_EQ((*stream)->next(1ms).error().code, Code::timeout);
    ASSERT_TRUE(recorder.wait_for("request", 3));
  }
  EXPECT_TRUE(recorder.wait_for("cancel", 3));
}

TEST_F(ServerTest, a_caller_knows_whether_nobody_answers_or_the_answerer_is_not_ready) {
  recorder.answer = [&](RequestId id, const MessagePtr&) { (void)local->respond(id, status_of(Code::unavailable), "", "nobody answers it"); };
  start();
  client = connect();
  for (const std::string_view topic : {"q", "nothing"}) {
    const auto called = client->call({.topic = topic});
    ASSERT_FALSE(called);
    EXPECT_EQ(called.error().code, Code::unavailable);
    EXPECT_EQ(called.error().is_unanswered, topic == "nothing");
    const auto stream = client->open({.topic = topic}, 100);
    ASSERT_TRUE(stream);
    EXPECT_EQ((*stream)->next(20s).error().is_unanswered, topic == "nothing");
  }
  EXPECT_TRUE(client->call({.topic = "q", .to = "another"}).error().is_unanswered);
}

TEST_F(ServerTest, names_a_caller_as_the_kernel_knows_it) {
  options.name = [](const PeerCredentials& caller) { return cat("somebody@", std::to_string(caller.uid)); };
  start();
  client = connect();
  const auto second = connect();
  EXPECT_EQ(client->name(), cat("somebody@", std::to_string(::getuid())));
  EXPECT_EQ(second->name(), cat("somebody@", std::to_string(::getuid()), "#2"));
}

TEST_F(ServerTest, names_each_connection_and_frees_the_names) {
  start();
  client = connect();
  auto second = connect();
  auto third = connect();
  EXPECT_EQ(second->name(), "picketctl#2");
  EXPECT_EQ(third->name(), "picketctl#3");
  second.reset();
  ASSERT_TRUE(wait_for_connections(2));
  second = connect();
  EXPECT_EQ(second->name(), "picketctl#2");
}

TEST_F(ServerTest, decides_by_who_is_calling) {
  options.allow = [](const PeerCredentials& caller) -> Result<AllowList> {
    EXPECT_EQ(caller.uid, ::getuid());
    EXPECT_EQ(caller.pid, ::getpid());
    return fail(Code::denied, "only root may");
  };
  start();
  const auto refused = Client::connect(path, 20s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::denied);
  EXPECT_EQ(refused.error().message, cat("cannot reach picketd at ", path.native(), ": only root may"));
  EXPECT_TRUE(wait_for_connections(0));
}

TEST_F(ServerTest, refuses_more_connections_than_it_may_have) {
  options.max_connections = 2;
  start();
  client = connect();
  const auto second = connect();
  const auto third = Client::connect(path, 20s);
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().message, HasSubstr("too many connections"));
}

TEST_F(ServerTest, the_client_says_why_it_cannot_reach_picketd) {
  const auto text = [&] { return Client::connect(path, 50ms).error().message; };
  const auto prefix = cat("cannot reach picketd at ", path.native(), ": ");
  EXPECT_EQ(text(), prefix + "no such file; is it running?");
  {
    auto listener = listen_at(path, 0600);
    ASSERT_TRUE(listener);
    EXPECT_EQ(text(), prefix + "it accepted the connection but does not answer");
  }
  EXPECT_EQ(text(), prefix + "nobody listens there; is it running?");
  EXPECT_THAT(Client::connect(std::string(200, 'x'), 50ms).error().message, HasSubstr("must have 1 to 107 bytes"));
}

TEST_F(ServerTest, takes_over_a_dead_socket_but_not_a_living_one_nor_a_file) {
  { ASSERT_TRUE(listen_at(path, 0600)); }
  ASSERT_TRUE(std::filesystem::exists(path));
  start();
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660U);
  const auto second = Server::start(*router, *loop, options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(write_file_atomic(path, "precious"));
  EXPECT_EQ(Server::start(*router, *loop, options).error().code, Code::conflict);
  EXPECT_EQ(*read_file(path, 100), "precious");
}

TEST_F(ServerTest, tells_clients_that_it_ends) {
  start();
  client = connect();
  std::thread ender([&] {
    EXPECT_TRUE(recorder.wait_for("request"));
    server.reset();
  });
  const auto reply = client->call({.topic = "q", .timeout = 1h});
  ender.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::unavailable);
  EXPECT_EQ(reply.error().message, "picketd is ending");
  EXPECT_EQ(client->next(1s).error().code, Code::unavailable);
  EXPECT_FALSE(client->subscribe("e"));
}

TEST_F(ServerTest, turns_away_callers_that_do_not_begin_well) {
  start();
  for (const Frame& frame : {Frame{.type = Type::publish}, Frame{.type = Type::hello, .number = 99}}) {
    Remote remote(*connect_to(path, 20s));
    remote.say(frame);
    EXPECT_EQ(remote.hear().status, status_of(frame.type == Type::hello ? Code::unsupported : Code::invalid));
    EXPECT_TRUE(remote.is_closed());
  }
  Remote garbage(*connect_to(path, 20s));
  ASSERT_TRUE(try_send_bytes(garbage.fd(), "garbage"));
  EXPECT_TRUE(garbage.is_closed());
  EXPECT_TRUE(wait_for_connections(0));
  client = connect();  // and it still serves
}

}  // namespace
}  // namespace picket::bus::wire
