// plugin.hpp and stream.hpp, as the host sees them: through the C table alone.
#include <picket/plugin.hpp>
#include <picket/stream.hpp>
#include <picket/testing/fake_host.hpp>

#include <gmock/gmock.h>

#include <memory>
#include <stdexcept>
#include <thread>

namespace {

using picket::plugin::Answer;
using picket::plugin::Host;
using picket::plugin::Message;
using picket::testing::FakeHost;
using testing::HasSubstr;
using testing::IsEmpty;

// Throws where its settings tell it to.
class Thrower {
 public:
  explicit Thrower(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t) {
    if (settings == "start") throw std::runtime_error("thrown by start");
    if (settings == "odd") throw 7;
    return host_.subscribe("t");
  }
  picket_status apply(std::string_view, std::uint64_t) { throw std::runtime_error("thrown by apply"); }
  void stop() { throw std::runtime_error("thrown by stop"); }
  void on_message(const Message&) { throw std::runtime_error("thrown by on_message"); }
  void on_request(std::uint64_t, const Message&) { throw std::runtime_error("thrown by on_request"); }

 private:
  Host host_;
};

// Has nothing that is optional.
class Bare {
 public:
  explicit Bare(Host) {}
  picket_status start(std::string_view, std::uint64_t) { return PICKET_OK; }
  void stop() noexcept {}
};

// Streams "abc..." of the length that the request asks for, on a thread of its own.
class Streamer {
 public:
  explicit Streamer(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) { return PICKET_OK; }
  void stop() noexcept {
    if (answer_) answer_->abandon();
    if (worker_.joinable()) worker_.join();
  }
  void on_request(std::uint64_t id, const Message& request) {
    answer_ = std::make_shared<Answer>(host_, id);
    worker_ = std::thread([answer = answer_, length = std::stoul(std::string(request.payload))] {
      std::string data(length, '\0');
      for (std::size_t i = 0; i < length; ++i) data[i] = static_cast<char>('a' + i % 26);
      if (answer->write(data) == PICKET_OK) answer->finish("text/plain", "all");
    });
  }
  void on_credit(std::uint64_t, std::uint64_t bytes) { answer_->on_credit(bytes); }
  void on_cancel(std::uint64_t) { answer_->abandon(); }

 private:
  Host host_;
  std::shared_ptr<Answer> answer_;
  std::thread worker_;
};

class Wordy {
 public:
  explicit Wordy(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) { return PICKET_OK; }
  void stop() noexcept {}
  void on_request(std::uint64_t id, const Message&) { Answer(host_, id).finish("text/plain", std::string(PICKET_BUS_MAX_PAYLOAD + 1, 'x')); }

 private:
  Host host_;
};

template <class P>
picket_status create(const picket_host* host, const char* wanted, picket_plugin** out) {
  return picket::plugin::Adapter<P>::create(host, wanted, "test.one", out);
}
template <class P>
constexpr picket_entry entry{PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, &create<P>};

template <class P>
void begin(FakeHost& host) {
  host.use(entry<P>);
  ASSERT_EQ(host.create("test.one"), PICKET_OK);
}

TEST(Wrapper, turns_exceptions_into_a_status_and_a_text) {
  FakeHost host;
  begin<Thrower>(host);
  EXPECT_EQ(host.start("start"), PICKET_E_INTERNAL);
  EXPECT_EQ(host.error(), "thrown by start");
  EXPECT_EQ(host.start("odd"), PICKET_E_INTERNAL);
  EXPECT_THAT(host.error(), HasSubstr("not a std::exception"));
  ASSERT_EQ(host.start(), PICKET_OK);
  EXPECT_EQ(host.apply("{}", 2), PICKET_E_INTERNAL);
  EXPECT_EQ(host.error(), "thrown by apply");
  EXPECT_TRUE(host.message({.topic = "t"}));
  ASSERT_FALSE(host.logs().empty());
  EXPECT_EQ(host.logs().back().level, PICKET_LOG_ERROR);
  EXPECT_EQ(host.logs().back().text, "exception in on_message: thrown by on_message");
  EXPECT_EQ(host.stop(), PICKET_E_INTERNAL);
}

TEST(Wrapper, answers_a_request_whose_handler_throws_with_the_text) {
  FakeHost host;
  begin<Thrower>(host);
  ASSERT_EQ(host.start(), PICKET_OK);
  const auto answer = host.answer(host.request({.topic = "q"}));
  ASSERT_TRUE(answer.done) << "the asker would wait until its deadline";
  EXPECT_EQ(answer.status, PICKET_E_INTERNAL);
  EXPECT_EQ(answer.payload, "thrown by on_request");
  ASSERT_FALSE(host.logs().empty());
  EXPECT_THAT(host.logs().back().text, HasSubstr("exception in on_request"));
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST(Wrapper, makes_no_instance_for_another_id_or_without_a_host) {
  picket_plugin* out = nullptr;
  FakeHost host;
  host.use(entry<Bare>);
  EXPECT_EQ(host.create("test.two"), PICKET_E_INVALID);
  EXPECT_THAT(host.error(), HasSubstr("this plugin is test.one, not test.two"));
  EXPECT_EQ(create<Bare>(nullptr, "test.one", &out), PICKET_E_INVALID);
  EXPECT_EQ(out, nullptr);
}

TEST(Wrapper, offers_only_the_tables_that_the_class_fills) {
  FakeHost host;
  begin<Bare>(host);
  picket_plugin* plugin = host.plugin();
  EXPECT_EQ(plugin->get_extension(plugin, PICKET_EXT_SETTINGS), nullptr);
  EXPECT_EQ(plugin->get_extension(plugin, PICKET_EXT_TIMER), nullptr);
  EXPECT_EQ(plugin->get_extension(plugin, "com.nobody/1"), nullptr);
  ASSERT_EQ(host.start(), PICKET_OK);
  EXPECT_EQ(host.request({.topic = "q"}), 0u);
  EXPECT_EQ(host.apply("{}", 2), PICKET_OK) << "stopped and started again";
}

TEST(Wrapper, bears_a_host_without_any_extension) {
  FakeHost host;
  for (const char* id : {PICKET_EXT_BUS, PICKET_EXT_SETTINGS, PICKET_EXT_STORAGE, PICKET_EXT_TIMER, PICKET_EXT_HEALTH}) host.lacks(id);
  begin<Thrower>(host);
  EXPECT_EQ(host.start(), PICKET_E_UNSUPPORTED);
}

TEST(Stream, an_answer_that_is_too_large_is_an_error_and_no_silence) {
  FakeHost host;
  begin<Wordy>(host);
  ASSERT_EQ(host.start(), PICKET_OK);
  const auto id = host.request({.topic = "q"});
  ASSERT_TRUE(host.wait_for([&] { return host.answer(id).done; }));
  EXPECT_EQ(host.answer(id).status, PICKET_E_TOO_LARGE);
  EXPECT_EQ(host.answer(id).payload, "the answer is larger than the bus takes");
}

TEST(Stream, sends_all_as_credit_comes_and_then_the_answer) {
  FakeHost host;
  begin<Streamer>(host);
  ASSERT_EQ(host.start(), PICKET_OK);
  constexpr std::size_t length = 300'000;
  const auto id = host.request({.topic = "q", .payload = std::to_string(length)}, 1000);
  ASSERT_TRUE(host.wait_for([&] { return host.answer(id).stream.size() >= 1000 - 511; }));  // the rest is not worth a message
  EXPECT_FALSE(host.answer(id).done);
  while (!host.answer(id).done) {
    const std::size_t before = host.answer(id).stream.size();
    host.grant(id, 100'000);
    ASSERT_TRUE(host.wait_for([&] { return host.answer(id).stream.size() > before || host.answer(id).done; }));
  }
  const auto answer = host.answer(id);
  ASSERT_EQ(answer.stream.size(), length);
  for (std::size_t i = 0; i < length; i += 997) ASSERT_EQ(answer.stream[i], static_cast<char>('a' + i % 26)) << i;
  EXPECT_EQ(answer.payload, "all");
  host.stop();
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST(Stream, ends_at_once_when_nobody_wants_it_any_more) {
  FakeHost host;
  begin<Streamer>(host);
  ASSERT_EQ(host.start(), PICKET_OK);
  const auto id = host.request({.topic = "q", .payload = "100000"}, 10);
  host.cancel(id);
  const auto begin_stop = std::chrono::steady_clock::now();
  host.stop();  // joins the writer, who waits for credit
  EXPECT_LT(std::chrono::steady_clock::now() - begin_stop, std::chrono::seconds(30));
  EXPECT_FALSE(host.answer(id).done);
  EXPECT_THAT(host.violations(), IsEmpty());
}

}  // namespace
