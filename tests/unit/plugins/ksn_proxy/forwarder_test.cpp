// Statistics and files on their way to the KSN: what is passed on, what waits on disk, what the device is told.
#include "forwarder_rig.hpp"

#include <cerrno>
#include <fstream>

namespace picket::ksn_proxy_tests {
namespace {

TEST_F(ForwarderTest, passes_on_at_once_while_the_line_works) {
  open();
  EXPECT_EQ(statistics('a').wait(), 200);
  const std::string digest = digest_of(1), file(1000, 'f');
  auto part = content(digest, file, 0, 600);
  ASSERT_EQ(part.wait(), 200);
  EXPECT_EQ(part.as<v1::ContentReply>().held(), 600u);
  auto rest = content(digest, file, 600, 400);
  ASSERT_EQ(rest.wait(), 200);
  EXPECT_TRUE(rest.as<v1::ContentReply>().complete());
  EXPECT_EQ(forwarder_->counters().passed_on, 3u);
  EXPECT_EQ(forwarder_->counters().stored, 0u);
}

TEST_F(ForwarderTest, has_counted_a_message_when_it_tells_the_device_how_it_went) {
  open({60, 1000});  // room for one
  ksn_.mode = FakeKsn::Mode::away;
  v1::StatisticsRequest request;
  for (const int expected : {200, 503}) {
    request.set_id(std::string(16, 'a'));
    ForwarderCounters seen;
    Answered answered;
    forwarder_->statistics(request.SerializeAsString(), peer_, ksn_server::Reply::to([&](int status, std::string body) {
                             seen = forwarder_->counters();
                             answered.reply().send(status, std::move(body));
                           }));
    ASSERT_EQ(answered.wait(), expected);
    EXPECT_EQ(seen.stored, 1u);
    EXPECT_EQ(seen.outbox.waiting, 1u);
    EXPECT_EQ(seen.no_room, expected == 200 ? 0u : 1u);
  }
}

TEST_F(ForwarderTest, keeps_what_comes_while_the_line_is_down_and_delivers_it_in_order) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  for (const char id : {'a', 'b', 'c'}) EXPECT_EQ(statistics(id).wait(), 200);
  const std::string digest = digest_of(1), file(3000, 'f');
  for (std::uint64_t offset = 0; offset < file.size(); offset += 1000) {
    auto part = content(digest, file, offset, 1000);
    ASSERT_EQ(part.wait(), 200);
    EXPECT_EQ(part.as<v1::ContentReply>().held(), offset + 1000);
    EXPECT_EQ(part.as<v1::ContentReply>().complete(), offset + 1000 == file.size());
  }
  auto asks = content(digest, file, 0, 0);  // how much is there?
  ASSERT_EQ(asks.wait(), 200);
  EXPECT_TRUE(asks.as<v1::ContentReply>().complete());
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 6u);
  ksn_.mode = FakeKsn::Mode::answers;
  ASSERT_TRUE(wait_for([&] {
    const auto seen = forwarder_->counters();
    EXPECT_EQ(seen.delivered + seen.outbox.waiting, 6u);  // at any time
    return seen.delivered == 6;
  }));
  EXPECT_EQ(ksn_.held_of(digest), file.size());
  EXPECT_TRUE(warnings().empty());
}

TEST_F(ForwarderTest, goes_on_after_a_restart_with_what_waited) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  const std::string digest = digest_of(1), file(2000, 'f');
  ASSERT_EQ(content(digest, file, 0, 1500).wait(), 200);
  ASSERT_EQ(statistics('a').wait(), 200);
  forwarder_.reset();
  open();
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 2u);
  auto again = content(digest, file, 0, 1500);  // known already
  ASSERT_EQ(again.wait(), 200);
  EXPECT_EQ(again.as<v1::ContentReply>().held(), 1500u);
  auto beyond = content(digest, file, 1800, 200);  // leaves a gap: it is told where to go on
  ASSERT_EQ(beyond.wait(), 200);
  EXPECT_EQ(beyond.as<v1::ContentReply>().held(), 1500u);
  EXPECT_FALSE(beyond.as<v1::ContentReply>().complete());
  auto rest = content(digest, file, 1500, 500);
  ASSERT_EQ(rest.wait(), 200);
  EXPECT_TRUE(rest.as<v1::ContentReply>().complete());
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 3u);
  ksn_.mode = FakeKsn::Mode::answers;
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().delivered == 3; }));
  EXPECT_EQ(ksn_.held_of(digest), file.size());
}

TEST_F(ForwarderTest, writes_down_what_was_on_its_way_when_it_ends) {
  open();
  ksn_.holds = true;
  auto waits = statistics('a');
  ASSERT_TRUE(ksn_.wait_for_posts(1));
  forwarder_->stop_sending();
  ksn_.mode = FakeKsn::Mode::away;
  ksn_.let_go();
  EXPECT_EQ(waits.wait(), 200);
  forwarder_.reset();
  open();
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 1u);
}

TEST_F(ForwarderTest, keeps_nothing_of_a_licence_that_nobody_vouches_for) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  licence_ = "blocked";
  auto refused = statistics('a');
  EXPECT_EQ(refused.wait(), 403);
  EXPECT_EQ(refused.as<v1::Refusal>().why(), v1::Refusal::LICENCE_BLOCKED);
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 0u);
  EXPECT_EQ(forwarder_->counters().no_licence, 1u);
  licence_ = "good";
  EXPECT_EQ(statistics('a').wait(), 200);
  const std::string file(10, 'f');
  EXPECT_EQ(content(digest_of(1), file, 0, 3).wait(), 200);
  licence_ = "blocked";
  EXPECT_EQ(content(digest_of(1), file, 0, 0).wait(), 403) << "nor is it told what others have sent";
}

TEST_F(ForwarderTest, tells_what_the_ksn_refuses_and_what_waited_too_long) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  ASSERT_EQ(statistics('a').wait(), 200);
  ksn_.mode = FakeKsn::Mode::refuses_blocked;
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().refused_by_ksn == 1; }));
  auto refused = statistics('b');  // the line works: the device is told itself
  EXPECT_EQ(refused.wait(), 403);
  ksn_.mode = FakeKsn::Mode::away;
  ASSERT_EQ(statistics('c').wait(), 200);
  ksn_.now += 8 * 86400;
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().expired == 1; }));
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 0u);
  const auto warned = warnings();
  ASSERT_FALSE(warned.empty());
  EXPECT_EQ(warned.front(), "the KSN refuses a message that waited: the licence is blocked");
}

// A web server stands before the KSN, and has lost it, or does not let everything pass.
class Misled final : public Upstream {
 public:
  explicit Misled(Upstream& ksn) : ksn_(ksn) {}
  void post(std::string_view path, std::string body, std::chrono::milliseconds deadline, Done done) override {
    if (!found) return done(Posted{status, "<html>Not Found</html>"});
    if (!stops.empty() && body.find(stops) != std::string::npos) {
      ++refused;
      return done(Posted{403, "<html>Forbidden</html>"});
    }
    ksn_.post(path, std::move(body), deadline, std::move(done));
  }
  void blame(const Posted&, std::string_view) override {}
  [[nodiscard]] std::uint32_t rests_for() const override { return 0; }
  [[nodiscard]] std::string describe() const override { return "misled"; }
  std::atomic<bool> found = false;
  int status = 404;
  std::string stops;                // whatever it is in
  std::atomic<int> refused = 0;

 private:
  Upstream& ksn_;
};

class ForwarderBehindAWebServer : public ForwarderTest {
 protected:
  void open(std::chrono::milliseconds patience = 1h) {
    ForwarderSettings settings;
    settings.folder = folder_.path();
    settings.pause = 10ms;
    settings.patience = patience;
    auto started = Forwarder::start(settings, {misled_, [this] { return ksn_.now.load(); }, [this](std::string_view text) {
                                                 const std::lock_guard lock(mutex_);
                                                 warnings_.emplace_back(text);
                                               }});
    ASSERT_TRUE(started) << started.error().message;
    forwarder_ = std::move(*started);
  }
  void TearDown() override { forwarder_.reset(); }  // before its upstream
  Misled misled_{ksn_};
};

TEST_F(ForwarderBehindAWebServer, gives_nothing_up_for_what_is_no_word_of_a_ksn) {
  for (const int status : {404, 200}) {
    misled_.found = false;
    misled_.status = status;
    open(0ms);
    EXPECT_EQ(statistics('a').wait(), 200) << "it waits here";
    EXPECT_EQ(content(digest_of(1), "file", 0, 4).wait(), 200);
    ASSERT_TRUE(wait_for([&] { return !warnings().empty(); }));
    EXPECT_EQ(warnings().front(), "messages wait: the KSN's server answers with HTTP status " + std::to_string(status) + ", which is no word of a KSN");
    EXPECT_EQ(forwarder_->counters().outbox.waiting, 2u);
    misled_.found = true;
    EXPECT_TRUE(wait_for([&] { return forwarder_->counters().delivered == 2; }));
    EXPECT_EQ(forwarder_->counters().refused_by_ksn, 0u);
    forwarder_.reset();
    const std::lock_guard lock(mutex_);
    warnings_.clear();
  }
}

TEST_F(ForwarderBehindAWebServer, gives_a_message_up_that_is_refused_alone) {
  misled_.stops = "EICAR";
  misled_.found = true;
  open(0ms);
  EXPECT_EQ(content(digest_of(1), "EICAR, say", 0, 10).wait(), 200) << "it waits here";
  ASSERT_TRUE(wait_for([&] { return misled_.refused >= 4; }));
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 1u) << "nothing arrived since: it may be the way";
  EXPECT_EQ(statistics('a').wait(), 200);
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().refused_by_ksn == 1; }));
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 0u);
  EXPECT_EQ(forwarder_->counters().passed_on, 1u);
}

TEST_F(ForwarderBehindAWebServer, has_patience_with_a_message_that_is_refused_alone) {
  misled_.stops = "EICAR";
  misled_.found = true;
  open();
  EXPECT_EQ(content(digest_of(1), "EICAR, say", 0, 10).wait(), 200);
  ASSERT_TRUE(wait_for([&] { return !warnings().empty(); }));
  EXPECT_EQ(statistics('a').wait(), 200);
  const auto tries = misled_.refused.load();
  ASSERT_TRUE(wait_for([&] { return misled_.refused >= tries + 3; }));
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 1u);
}

TEST_F(ForwarderTest, lets_a_file_begin_again_of_which_a_part_that_waited_cannot_be_read) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  const std::string digest = digest_of(1), file(3000, 'f');
  for (std::uint64_t offset = 0; offset < file.size(); offset += 1000) ASSERT_EQ(content(digest, file, offset, 1000).wait(), 200);
  ksn_.during_the_next_post([&] {
    std::fstream messages(folder_.path() / "000000000001.messages", std::ios::in | std::ios::out | std::ios::binary);
    messages.seekp(500);
    messages.put('!');
    EXPECT_TRUE(messages.good());
    ksn_.mode = FakeKsn::Mode::answers;
  });
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().outbox.waiting == 0; }));
  EXPECT_EQ(forwarder_->counters().unreadable, 1u);
  EXPECT_EQ(forwarder_->counters().refused_by_ksn, 2u);  // behind the gap
  EXPECT_EQ(warnings().front(), "a message that waited is lost: a message that waits is damaged");
  auto asks = content(digest, file, 0, 0);
  ASSERT_EQ(asks.wait(), 200);
  EXPECT_EQ(asks.as<v1::ContentReply>().held(), 0u);
  EXPECT_EQ(content(digest, file, 0, 3000).wait(), 200);
  EXPECT_EQ(ksn_.held_of(digest), file.size());
}

TEST_F(ForwarderTest, asks_for_what_was_lost_between_parts_that_still_wait) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  const std::string digest = digest_of(1), file(3000, 'f');
  for (std::uint64_t offset = 0; offset < file.size(); offset += 1000) ASSERT_EQ(content(digest, file, offset, 1000).wait(), 200);
  forwarder_.reset();
  {
    std::fstream messages(folder_.path() / "000000000001.messages", std::ios::in | std::ios::out | std::ios::binary);
    messages.seekp(1500);  // in the second one
    messages.put('!');
    ASSERT_TRUE(messages.good());
  }
  open();
  auto asks = content(digest, file, 0, 0);
  ASSERT_EQ(asks.wait(), 200);
  EXPECT_EQ(asks.as<v1::ContentReply>().held(), 1000u);
}

// A disk that fails at the second flush; before the first one it waits, so that what comes meanwhile is written together.
struct Disk {
  static inline std::atomic<int> flushes{0};
  static inline std::atomic<bool> goes_on{false};
  static int flush(int) {
    const int number = ++flushes;
    while (number == 1 && !goes_on) std::this_thread::yield();
    errno = EIO;
    return number == 2 ? -1 : 0;
  }
};

TEST_F(ForwarderTest, promises_nothing_that_the_disk_did_not_take) {
  Outbox::Limits limits;
  limits.flush = &Disk::flush;
  open(limits);
  ksn_.mode = FakeKsn::Mode::away;
  const std::string digest = digest_of(1), file(2000, 'f');
  auto before = statistics('a');
  ASSERT_TRUE(wait_for([] { return Disk::flushes == 1; }));
  auto part = content(digest, file, 0, 1000), twice = content(digest, file, 0, 1000);
  Disk::goes_on = true;
  EXPECT_EQ(before.wait(), 200);
  EXPECT_EQ(part.wait(), 503);
  EXPECT_EQ(twice.wait(), 503);  // also what it had already is not on the disk
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 1u);
  EXPECT_EQ(forwarder_->counters().stored, 1u);
  auto asks = content(digest, file, 0, 0);
  ASSERT_EQ(asks.wait(), 200);
  EXPECT_EQ(asks.as<v1::ContentReply>().held(), 0u);
  for (std::uint64_t offset = 0; offset < file.size(); offset += 1000) EXPECT_EQ(content(digest, file, offset, 1000).wait(), 200);
  forwarder_.reset();
  open();
  EXPECT_EQ(forwarder_->counters().outbox.waiting, 3u);
  EXPECT_EQ(forwarder_->counters().outbox.damaged, 0u);
  ksn_.mode = FakeKsn::Mode::answers;
  ASSERT_TRUE(wait_for([&] { return forwarder_->counters().delivered == 3; }));
  EXPECT_EQ(ksn_.held_of(digest), file.size());
}

TEST_F(ForwarderTest, answers_a_device_that_asks_back_at_once) {
  open();
  ksn_.mode = FakeKsn::Mode::away;
  v1::ContentRequest request;
  request.set_digest(digest_of(1));
  request.set_size(10);
  int status = 0;
  forwarder_->content(request.SerializeAsString(), peer_, ksn_server::Reply::to([&](int got, const std::string&) {
                        (void)forwarder_->counters();  // would wait for itself
                        status = got;
                      }));
  EXPECT_EQ(status, 200);
}

TEST_F(ForwarderTest, refuses_what_is_malformed) {
  open();
  Answered none, short_id;
  forwarder_->statistics("\xff", peer_, none.reply());
  EXPECT_EQ(none.wait(), 400);
  v1::StatisticsRequest request;
  request.set_id("short");
  forwarder_->statistics(request.SerializeAsString(), peer_, short_id.reply());
  EXPECT_EQ(short_id.wait(), 400);
  v1::ContentRequest part;
  part.set_digest(digest_of(1));
  part.set_size(10);
  part.set_offset(8);
  part.set_part("abc");
  Answered beyond;
  forwarder_->content(part.SerializeAsString(), peer_, beyond.reply());
  EXPECT_EQ(beyond.wait(), 400);
  part.set_first(~std::uint64_t{0});
  part.set_bytes(~std::uint64_t{0});
  Answered absurd;
  forwarder_->content(part.SerializeAsString(), peer_, absurd.reply());
  EXPECT_EQ(absurd.wait(), 400);
  EXPECT_EQ(ksn_.posts, 0u);
}

}  // namespace
}  // namespace picket::ksn_proxy_tests
