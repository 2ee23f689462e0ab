// A mount that does not answer: the plugin's class with a file system that hangs until the test lets go.
#include <gtest/gtest.h>

#include <picket/plugin.hpp>
#include <picket/testing/fake_host.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "picket/source/v1/source.pb.h"
#include "source_folder.hpp"

namespace {

using namespace file_source;

class HungFile final : public File {
 public:
  explicit HungFile(std::mutex& mutex, std::condition_variable& changed, bool& hung, bool& released)
      : mutex_(mutex), changed_(changed), hung_(hung), released_(released) {}
  std::uint64_t size() const override { return 10; }
  const std::string& name() const override { return name_; }
  Outcome<std::size_t> read(std::uint64_t, char*, std::size_t count) override {
    std::unique_lock lock(mutex_);
    hung_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return released_; });
    return count;
  }

 private:
  std::mutex& mutex_;
  std::condition_variable& changed_;
  bool &hung_, &released_;
  const std::string name_ = "/mnt/dead/f";
};

struct HungFolder final : Store {
  static void begin(std::chrono::milliseconds how_patient) {
    patience = how_patient;
    hung = released = destroyed = false;
  }
  static void release() {
    const std::lock_guard lock(mutex);
    released = true;
    changed.notify_all();
  }
  Outcome<> check(const picket::source::v1::Source&) const override { return {}; }
  Outcome<> probe(const picket::source::v1::Source&) override { return {}; }
  Outcome<std::unique_ptr<File>> open(const picket::source::v1::Source&, const std::vector<std::string>&, Wait) override {
    return std::make_unique<HungFile>(mutex, changed, hung, released);
  }
  ~HungFolder() override { destroyed = true; }
  static inline std::mutex mutex;
  static inline std::condition_variable changed;
  static inline bool hung = false, released = false;
  static inline std::atomic<bool> destroyed = false;
  static inline std::chrono::milliseconds patience{};
};

class OnHungMount : public source_folder::SourceFolder {
 public:
  explicit OnHungMount(picket::plugin::Host host) : SourceFolder(host, std::make_shared<HungFolder>(), HungFolder::patience) {}
};

picket_status create(const picket_host* host, const char* wanted, picket_plugin** out) {
  return picket::plugin::Adapter<OnHungMount>::create(host, wanted, "test", out);
}
const picket_entry kEntry = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, &create};

class SourceFolderOnADeadMount : public ::testing::Test {
 protected:
  // Gives back a fetch that hangs.
  std::uint64_t begin(std::chrono::milliseconds patience) {
    HungFolder::begin(patience);
    host.use(kEntry);
    EXPECT_EQ(host.create("test"), PICKET_OK);
    EXPECT_EQ(host.start("{}"), PICKET_OK);
    const auto id = fetch();
    std::unique_lock lock(HungFolder::mutex);
    EXPECT_TRUE(HungFolder::changed.wait_for(lock, std::chrono::seconds(60), [] { return HungFolder::hung; }));
    return id;
  }
  [[nodiscard]] static std::string request() {
    picket::source::v1::FetchRequest request;
    request.mutable_source()->set_location("/mnt/dead");
    request.set_path("f");
    request.set_max_bytes(10);
    return request.SerializeAsString();
  }
  std::uint64_t fetch() { return host.request({.topic = "picket.source.fetch", .payload = request()}, 100); }

  picket::testing::FakeHost host;
};

TEST_F(SourceFolderOnADeadMount, stops_in_bounded_time_says_so_and_calls_the_host_no_more) {
  const auto id = begin(std::chrono::milliseconds(50));
  // The plugin thread stays free.
  const auto probe = host.request({.topic = "picket.source.probe", .payload = request()});
  ASSERT_TRUE(host.wait_for([&] { return host.answer(probe).done; }));

  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(host.stop(), PICKET_E_INTERNAL);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  EXPECT_NE(host.error().find("a folder does not answer"), std::string::npos) << host.error();
  EXPECT_EQ(host.answer(id).status, PICKET_E_UNAVAILABLE);
  host.destroy();
  HungFolder::release();
  // The thread lets go of all it held: the file system object goes with its last user.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!HungFolder::destroyed && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(HungFolder::destroyed);
  EXPECT_EQ(host.violations(), std::vector<std::string>{});
}

TEST_F(SourceFolderOnADeadMount, is_refused_at_once_while_a_read_that_was_given_up_hangs_and_read_again_when_it_came_back) {
  host.cancel(begin(std::chrono::milliseconds(0)));
  const auto refused = host.answer(fetch());
  EXPECT_TRUE(refused.done);
  EXPECT_EQ(refused.status, PICKET_E_UNAVAILABLE);
  EXPECT_TRUE(refused.payload.starts_with("folder /mnt/dead does not answer (a dead mount or server?): a read has been waiting for ")) << refused.payload;
  EXPECT_EQ(refused.content_type, "text/plain; retry-after=0");

  HungFolder::release();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  picket_status status = PICKET_E_UNAVAILABLE;
  while (status == PICKET_E_UNAVAILABLE && std::chrono::steady_clock::now() < end) {
    const auto id = fetch();
    ASSERT_TRUE(host.wait_for([&] { return host.answer(id).done; }));
    status = host.answer(id).status;
  }
  EXPECT_EQ(status, PICKET_OK);
  host.stop();  // with no patience for a thread that is at its end
  host.destroy();
  EXPECT_EQ(host.violations(), std::vector<std::string>{});
}

}  // namespace
