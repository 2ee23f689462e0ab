// The client without the plugin, with a clock and a storage of the test's: what a crash leaves.
#include "client.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>

#include "base/files.hpp"
#include "support/ksn_service_fake.hpp"

namespace ksn_client {
namespace {

using namespace std::chrono_literals;

struct KsnClientCrash : testing::Test {
  picket::support::ServerFolder folder;
  picket::support::KsnServiceFake ksn{folder.path() / "ksn"};
  std::mutex mutex;
  std::condition_variable stored;
  std::map<std::string, std::string, std::less<>> disk;
  std::atomic<std::int64_t> now{std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
  Settings settings;

  void SetUp() override {
    ASSERT_TRUE(picket::make_folders(folder.path() / "statements"));
    ASSERT_TRUE(picket::write_file_atomic(folder.path() / "statements/ksn_en.txt", "Version: 1\nText.\n"));
    settings.statements_folder = folder.path() / "statements";
    settings.folder = folder.path() / "state";
    settings.provider_file = ksn.provider_file();
    settings.provider_keys = ksn.provider_keys();
    settings.use_proxy = false;
    settings.web_proxy = "none";
  }
  std::unique_ptr<Client> start() {
    Client::Host host;
    host.keep.load = [this](std::string_view key) -> std::optional<std::string> {
      const std::lock_guard lock(mutex);
      const auto found = disk.find(key);
      return found == disk.end() ? std::nullopt : std::optional(found->second);
    };
    host.keep.store = [this](std::string_view key, std::string_view value) {
      const std::lock_guard lock(mutex);
      disk[std::string(key)] = value;
      stored.notify_all();
      return true;
    };
    host.log = [](bool, std::string_view) {};
    host.changed = [] {};
    host.version = "test";
    host.now = [this] { return now.load(); };
    auto client = Client::start(std::move(host), settings);
    EXPECT_TRUE(client) << client.error().message;
    return client ? std::move(*client) : nullptr;
  }
  bool wait_for_disk(const std::function<bool()>& until) {
    std::unique_lock lock(mutex);
    return stored.wait_for(lock, 20s, until);
  }
  void check(Client& client, unsigned number) {
    v1::CheckRequest request;
    request.add_objects()->set_file_digest(std::string(32, static_cast<char>(number)));
    std::promise<void> done;
    client.check(request, 10s, [&](const Result<std::string>&) { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(20s), std::future_status::ready);
  }
};

TEST_F(KsnClientCrash, loses_counts_of_ten_minutes_at_most) {
  auto client = start();
  const auto shown = client->statement("en");
  ASSERT_TRUE(shown);
  v1::DecideRequest yes;
  yes.set_accept(true);
  yes.set_digest(shown->statement().digest());
  ASSERT_TRUE(client->decide(yes));
  for (unsigned i = 0; i < 5; ++i) check(*client, i);
  now += Outbox::kKeepSeconds;
  ASSERT_TRUE(client->apply(settings));  // the ticker sleeps by the computer's clock: this wakes it
  ASSERT_TRUE(wait_for_disk([&] { return disk.contains("outbox") && disk.at("outbox").find("\"files\":5") != std::string::npos; }));
  check(*client, 10);
  std::unique_lock lock(mutex);
  const auto after_crash = disk;
  lock.unlock();
  client.reset();
  disk = after_crash;

  now += 86'400;
  client = start();
  ASSERT_TRUE(wait_for_disk([&] { return !ksn.seen().statistics.empty(); }));
  EXPECT_EQ(ksn.seen().statistics.at(0).counters().at("files"), 5U);
}

}  // namespace
}  // namespace ksn_client
