// The client without the plugin, with a clock, a storage and packages of the test's: what a crash leaves, and whose a program is.
#include "client.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "ksn/software.hpp"
#include "support/ksn_service_fake.hpp"

namespace ksn_client {
namespace {

using namespace std::chrono_literals;

struct KsnClientAlone : testing::Test {
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
    settings.request_timeout = 30s;
  }
  std::unique_ptr<Client> start(const Programs::Places& places = {}) {
    Client::Host host;
    host.places = places;
    host.keep.load = [this](std::string_view key) -> Result<std::string> {
      const std::lock_guard lock(mutex);
      const auto found = disk.find(key);
      if (found == disk.end()) return fail(Code::not_found, "not there");
      return found->second;
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
    return stored.wait_for(lock, 60s, until);
  }
  static void accept(Client& client) {
    const auto shown = client.statement("en");
    ASSERT_TRUE(shown);
    v1::DecideRequest yes;
    yes.set_accept(true);
    yes.set_digest(shown->statement().digest());
    ASSERT_TRUE(client.decide(yes));
  }
  // Who answered.
  v1::Checked::From check(Client& client, unsigned number) {
    v1::CheckRequest request;
    request.add_objects()->set_file_digest(std::string(32, static_cast<char>(number)));
    std::promise<v1::Checked::From> from;
    client.check(request, 30s, [&](const Result<std::string>& answer) {
      v1::CheckReply reply;
      from.set_value(answer && reply.ParseFromString(*answer) && reply.checked_size() == 1 ? reply.checked(0).from() : v1::Checked::NOBODY);
    });
    return from.get_future().get();
  }
};

// The user is asked and heard by the version that runs, while the next one stands by.
TEST_F(KsnClientAlone, heeds_what_a_version_that_runs_beside_it_is_told) {
  auto before = start();
  accept(*before);
  auto next = start();
  EXPECT_EQ(check(*next, 1), v1::Checked::SERVER);
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (ksn.seen().hellos < 2) ASSERT_LT(std::chrono::steady_clock::now(), until);  // each greets once
  const auto messages = ksn.messages();
  v1::SwitchRequest turn;
  turn.set_who("bob");
  ASSERT_TRUE(before->switch_to(turn));
  before.reset();
  EXPECT_EQ(check(*next, 2), v1::Checked::NOBODY);
  EXPECT_EQ(next->status().line().substr(0, 29), "Disabled: switched off by bob");
  EXPECT_EQ(ksn.messages(), messages);

  auto last = start();
  turn.set_on(true);
  ASSERT_TRUE(last->switch_to(turn));
  EXPECT_EQ(next->status().status(), "Enabled");
  EXPECT_EQ(check(*next, 2), v1::Checked::SERVER);
}

TEST_F(KsnClientAlone, goes_on_by_itself_when_a_version_that_runs_beside_it_is_told_to) {
  settings.heartbeat = 1s;
  auto before = start();
  auto next = start();
  EXPECT_EQ(next->state().status(), "Disabled");
  accept(*before);
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (next->state().status() != "Enabled") {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "nobody asks it, nor for its status";
    std::this_thread::yield();
  }
}

TEST_F(KsnClientAlone, loses_counts_of_ten_minutes_at_most) {
  auto client = start();
  accept(*client);
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

TEST_F(KsnClientAlone, a_clock_that_was_set_back_hides_no_silence_of_ksn) {
  auto client = start();
  accept(*client);
  check(*client, 1);
  const auto until = std::chrono::steady_clock::now() + 60s;
  // The question and the greeting: nothing is under way any more.
  while (client->status().counters().at("exchanges") < 2) ASSERT_LT(std::chrono::steady_clock::now(), until);
  ksn.mood(picket::support::KsnServiceFake::Mood::silent);
  now -= 365 * 86'400;
  EXPECT_LE(client->status().last_exchange(), now.load());
  EXPECT_EQ(client->status().status(), "Enabled");
  now += kAvailableSeconds;
  EXPECT_EQ(client->status().status(), "Enabled. Not available");
  ksn.answer_held();  // it may have been greeted meanwhile
  ASSERT_TRUE(client->apply(settings));  // wakes the ticker, which greets
  while (client->status().status() != "Enabled") {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << client->status().line();
    std::this_thread::yield();
  }
}

TEST_F(KsnClientAlone, greets_at_once_when_somebody_looks_at_a_computer_that_slept) {
  auto client = start();
  accept(*client);
  check(*client, 1);
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (client->status().counters().at("exchanges") < 2) ASSERT_LT(std::chrono::steady_clock::now(), until);  // the greeting, too
  ksn.mood(picket::support::KsnServiceFake::Mood::silent);  // it may look by itself just then
  now += 8 * 3600;
  EXPECT_EQ(client->status().status(), "Enabled. Not available");
  ksn.answer_held();
  while (client->status().status() != "Enabled") {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << client->status().line();
    std::this_thread::yield();
  }
}

// With KSN off, too: what is local counts all the same.
TEST_F(KsnClientAlone, reads_a_local_list_again_when_it_changes_and_keeps_it_when_the_new_one_is_no_good) {
  const auto list = folder.path() / "list";
  const std::string object(64, '0');
  const auto write = [&](const std::string& text) { ASSERT_TRUE(picket::write_file_atomic(list, text)); };
  settings.local_files = {list.native()};
  settings.heartbeat = 1s;
  write(object + ",trusted\n");
  auto client = start();
  const auto verdict = [&] {
    v1::CheckRequest request;
    request.add_objects()->set_file_digest(std::string(32, '\0'));
    std::promise<v1::Verdict> said;
    client->check(request, 10s, [&](const Result<std::string>& answer) {
      v1::CheckReply reply;
      said.set_value(answer && reply.ParseFromString(*answer) ? reply.checked(0).facts().verdict() : v1::VERDICT_UNKNOWN);
    });
    return said.get_future().get();
  };
  const auto comes = [&](const std::function<bool()>& it) {
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (!it() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return it();
  };
  EXPECT_EQ(verdict(), v1::VERDICT_TRUSTED);
  write(object + ",untrusted\n");
  EXPECT_TRUE(comes([&] { return verdict() == v1::VERDICT_UNTRUSTED; }));
  write(object + ",trusted\nx,nonsense\n");
  EXPECT_TRUE(comes([&] { return client->ignored().find(list.native() + " line 2") != std::string::npos; })) << client->ignored();
  EXPECT_EQ(verdict(), v1::VERDICT_UNTRUSTED);
  write(object + ",trusted\n");
  EXPECT_TRUE(comes([&] { return verdict() == v1::VERDICT_TRUSTED; }));
  EXPECT_EQ(client->ignored(), "");
}

// A start that fails would be tried a few times only.
TEST_F(KsnClientAlone, starts_without_a_local_list_and_asks_nobody_before_it_is_there) {
  const auto list = folder.path() / "list";
  settings.local_files = {list.native()};
  settings.heartbeat = 1s;
  auto client = start();
  ASSERT_NE(client, nullptr);
  accept(*client);
  EXPECT_EQ(client->status().status(), "Enabled. Not available");
  EXPECT_EQ(client->status().cause().find("nobody is asked before the local lists can be read: setting local_files: "), 0U) << client->status().line();
  EXPECT_FALSE(client->state().in_use());
  EXPECT_EQ(check(*client, 1), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.messages(), 0U);

  ASSERT_TRUE(picket::write_file_atomic(list, std::string(64, '0') + ",trusted\n"));
  const auto until = std::chrono::steady_clock::now() + 60s;
  while (client->status().status() != "Enabled") {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << client->status().line();
    std::this_thread::yield();
  }
  EXPECT_EQ(check(*client, 0), v1::Checked::LOCAL);
  EXPECT_EQ(check(*client, 1), v1::Checked::SERVER);
}

// A package of the test's own, whose publisher and product KSN knows.
struct KsnClientSoftware : KsnClientAlone {
  const std::string base = std::filesystem::canonical(folder.path()).native(), tool = base + "/bin/tool";
  const std::string software = picket::ksn::software_digest("Acme Tools", "toolbox"), content = *picket::from_hex(picket::sha256_hex("content"));
  void write(const std::string& name, const std::string& bytes) const {
    ASSERT_TRUE(picket::make_folders((folder.path() / name).parent_path()));
    ASSERT_TRUE(picket::write_file_atomic(folder.path() / name, bytes));
  }
  std::unique_ptr<Client> start_with_package() {
    write("bin/tool", "content");
    write("dpkg/info/tool.list", "/.\n" + tool + "\n");
    write("dpkg/info/tool.md5sums", "9a0364b9e99bb480dd25e1f0284c8555  " + tool.substr(1) + "\n");
    write("dpkg/status", "Package: tool\nStatus: install ok installed\nMaintainer: Acme Tools <tools@example.org>\nSource: toolbox\nVersion: 2.0-1\n");
    auto client = start({.dpkg = base + "/dpkg", .rpm = {.folders = {}}, .code_authorities = {}});
    accept(*client);
    return client;
  }
  // What starts, is asked about.
  v1::SoftwareReply start_of_tool(Client& client) const {
    std::promise<Result<v1::SoftwareReply>> reply;
    client.software(tool, 30s, [&](Result<v1::SoftwareReply> came) { reply.set_value(std::move(came)); });
    auto came = reply.get_future().get();
    EXPECT_TRUE(came) << came.error().message;
    return came.value_or(v1::SoftwareReply());
  }
};

TEST_F(KsnClientSoftware, a_program_is_asked_by_publisher_and_product_again_at_each_start) {
  ksn.knows(software, v1::VERDICT_TRUSTED, "", 0, v1::OBJECT_SOFTWARE);  // no answer may be repeated
  auto client = start_with_package();
  auto reply = start_of_tool(*client);
  EXPECT_EQ(reply.identified_by(), "dpkg");
  EXPECT_TRUE(reply.signature_valid());
  EXPECT_EQ(reply.software().publisher(), "Acme Tools");
  EXPECT_EQ(reply.software().product(), "toolbox");
  EXPECT_EQ(reply.checked().from(), v1::Checked::SERVER);
  EXPECT_EQ(reply.checked().facts().verdict(), v1::VERDICT_TRUSTED);
  EXPECT_EQ(reply.file().facts().verdict(), v1::VERDICT_UNKNOWN);
  EXPECT_EQ(reply.decided_by(), "software");
  EXPECT_EQ(reply.text(), "trusted: toolbox of Acme Tools, version 2.0-1");
  EXPECT_EQ(ksn.seen().times[software], 1U);
  EXPECT_EQ(ksn.seen().times[content], 1U);

  ksn.knows(software, v1::VERDICT_UNTRUSTED, "Stolen.Key", 0, v1::OBJECT_SOFTWARE);
  reply = start_of_tool(*client);
  EXPECT_EQ(ksn.seen().times[software], 2U) << "asked again at the second start";
  EXPECT_EQ(ksn.seen().times[content], 1U) << "of the content the first answer is still fresh";
  EXPECT_EQ(reply.checked().facts().threat(), "Stolen.Key");
  EXPECT_EQ(reply.text(), "untrusted: toolbox of Acme Tools, version 2.0-1");
}

TEST_F(KsnClientSoftware, what_is_known_of_the_content_counts_before_its_publisher) {
  ksn.knows(software, v1::VERDICT_UNTRUSTED, "", 3600, v1::OBJECT_SOFTWARE);
  ksn.knows(content, v1::VERDICT_TRUSTED);
  auto client = start_with_package();
  auto reply = start_of_tool(*client);
  EXPECT_EQ(reply.decided_by(), "file");
  EXPECT_EQ(reply.text(), "trusted: toolbox of Acme Tools, version 2.0-1");
}

TEST_F(KsnClientSoftware, no_program_waits_for_a_large_one) {
  ksn.knows(software, v1::VERDICT_TRUSTED, "", 3600, v1::OBJECT_SOFTWARE);
  auto client = start_with_package();
  // Holes: nothing of it is on the disk.
  const auto start_of_large = [&](std::uint64_t bytes, std::promise<Result<v1::SoftwareReply>>& reply) {
    write("large", "");
    std::filesystem::resize_file(base + "/large", bytes);
    client->software(base + "/large", 60s, [&reply](Result<v1::SoftwareReply> came) { reply.set_value(std::move(came)); });
    return reply.get_future();
  };
  std::promise<Result<v1::SoftwareReply>> large, largest;
  const auto came = start_of_large(Programs::kReadAtOnce + 1, large).get();
  ASSERT_TRUE(came) << came.error().message;
  EXPECT_EQ(came->identified_by(), "none");

  auto read = start_of_large(Programs::kMostFile, largest);
  EXPECT_EQ(start_of_tool(*client).decided_by(), "software");
  EXPECT_NE(read.wait_for(0s), std::future_status::ready);
  client.reset();
  if (read.wait_for(0s) == std::future_status::ready) EXPECT_FALSE(read.get()) << "who ends does not read it to its end";
}

TEST_F(KsnClientSoftware, a_changed_program_is_not_its_publishers) {
  ksn.knows(software, v1::VERDICT_TRUSTED, "", 3600, v1::OBJECT_SOFTWARE);
  auto client = start_with_package();
  EXPECT_EQ(start_of_tool(*client).decided_by(), "software");
  write("bin/tool", "changed");
  const auto reply = start_of_tool(*client);
  EXPECT_FALSE(reply.signature_valid());
  EXPECT_EQ(reply.decided_by(), "file");
  EXPECT_EQ(reply.checked().from(), v1::Checked::NOBODY);
  EXPECT_EQ(reply.text(), "unknown: toolbox of Acme Tools, version 2.0-1 (it is not what package tool installed: it was changed)");
}

TEST_F(KsnClientSoftware, nobody_decides_when_nobody_answers) {
  ksn.mood(picket::support::KsnServiceFake::Mood::unavailable);
  auto client = start_with_package();
  const auto reply = start_of_tool(*client);
  EXPECT_EQ(reply.decided_by(), "");
  EXPECT_EQ(reply.text(), "not known now: toolbox of Acme Tools, version 2.0-1");
}

}  // namespace
}  // namespace ksn_client
