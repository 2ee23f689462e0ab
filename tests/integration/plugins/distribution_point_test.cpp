// A real picketd that is a distribution point, real agents behind it, and a client that trusts nothing.
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include "picket/distribution_point/v1/distribution_point.pb.h"
#include "picket/update/v1/report.pb.h"
#include "picket/update/v1/sources.pb.h"
#include "support/picketd_process.hpp"
#include "support/point_world.hpp"
#include "unit/plugins/source_rig.hpp"

namespace dp = picket::distribution_point::v1;
namespace up = picket::update::v1;
namespace fs = std::filesystem;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using picket::plugin_tests::TemporaryFolder;
using picket::plugin_tests::pattern;
using picket::support::Picketd;
using picket::support::PicketdOptions;

namespace {

constexpr const char* kPoint = "org.picket.distribution-point";
constexpr const char* kSource = "org.picket.source-distribution-point";

std::size_t append(char* data, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

// GET over a connection that is kept.
class Web {
 public:
  explicit Web(std::string base) : base_(std::move(base)), easy_(::curl_easy_init()) {}
  ~Web() { ::curl_easy_cleanup(easy_); }
  Web(const Web&) = delete;
  Web& operator=(const Web&) = delete;
  Result<std::string> operator()(const std::string& path) {
    std::string body;
    ::curl_easy_setopt(easy_, CURLOPT_URL, (base_ + path).c_str());
    ::curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &append);
    ::curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &body);
    ::curl_easy_setopt(easy_, CURLOPT_TIMEOUT, 30L);
    ::curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(easy_, CURLOPT_PROXY, "");
    const CURLcode code = ::curl_easy_perform(easy_);
    long status = 0;
    ::curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) return fail(Code::unavailable, cat(path, ": ", ::curl_easy_strerror(code)));
    if (status == 404) return fail(Code::not_found, cat(path, ": 404"));
    if (status != 200) return fail(Code::io, cat(path, ": ", std::to_string(status)));
    return body;
  }

 private:
  const std::string base_;
  CURL* easy_;
};

class DistributionPoint : public ::testing::Test {
 protected:
  void SetUp() override {
    publisher_ = folder_.path() / "publisher";
    repo("init");
    release(1);
  }
  void repo(const std::string& arguments) const {
    const auto command = cat("'", PICKET_BUILD, "/bin/picket-repo' ", arguments, " --repo '", publisher_.native(), "' >'", (folder_.path() / "repo.out").native(), "' 2>&1");
    ASSERT_EQ(std::system(command.c_str()), 0) << command << "\n" << picket::read_file(folder_.path() / "repo.out", 1u << 20).value_or("");
  }
  // Content that does not compress: 1 MB of a component that is wanted, and one that nobody wants.
  void release(int number) {
    for (const char* component : {"db", "unwanted"}) {
      const auto content = folder_.path() / cat(component, std::to_string(number));
      fs::create_directories(content);
      std::ofstream(content / "data", std::ios::binary) << pattern(component[0] == 'd' ? 1'000'000 : 1'000) << component << number;
      repo(cat("add --component ", component, " --variant full --release ", std::to_string(number), " '", content.native(), "'"));
    }
    repo("sign");
    repo("publish");
  }
  void take_from_publisher_to(const fs::path& road) const { fs::copy(publisher_ / "repository", road, fs::copy_options::recursive | fs::copy_options::overwrite_existing); }

  [[nodiscard]] PicketdOptions point_options(const std::string& more = {}) const {
    PicketdOptions options;
    options.build = PICKET_BUILD;
    options.folder = folder_.path() / "point";
    options.root_file = publisher_ / "repository/metadata/1.root.json";
    options.plugins = {"org.picket.source-folder", kPoint};
    options.settings = {{"org.picket.update", cat(R"({"interval_minutes":0,"rest_after_failure_seconds":1,"sources":[{"name":"vendor","plugin":"org.picket.source-folder","location":")",
                                                  (publisher_ / "repository").native(), "\"}]}")},
                        {kPoint, cat(R"({"enabled":true,"name":"point 1","listen":["127.0.0.1"],"http_port":)", std::to_string(port_), R"(,"interval_minutes":0,"folder":")",
                                     (folder_.path() / "mirror").native(), "\"", more, "}")}};
    return options;
  }
  void start_point(const std::string& more = {}, bool isolated = false) {
    auto options = point_options(more);
    if (isolated) options.isolated = {kPoint};
    auto started = Picketd::start(options);
    ASSERT_TRUE(started) << started.error().message;
    point_ = std::move(*started);
    const auto status = point_->ask<dp::StatusReply>("picket.distribution_point.status", dp::StatusRequest());
    ASSERT_TRUE(status) << status.error().message << point_->log();
    ASSERT_EQ(status->addresses_size(), 1) << point_->log();
    const auto& address = status->addresses(0);
    port_ = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }
  [[nodiscard]] std::size_t entries(const std::string& place) const {
    std::error_code error;
    std::size_t out = 0;
    for (fs::directory_iterator it(folder_.path() / place, error), end; !error && it != end; it.increment(error)) ++out;
    return out;
  }
  [[nodiscard]] std::string url() const { return cat("http://127.0.0.1:", std::to_string(port_), "/"); }
  [[nodiscard]] dp::PointResult download() {
    const auto result = point_->ask<dp::DownloadResult>("picket.distribution_point.download", dp::DownloadRequest());
    EXPECT_TRUE(result) << result.error().message;
    if (!result || result->points_size() != 1) return {};
    last_ = *result;
    return result->points(0);
  }
  std::unique_ptr<Picketd> start_agent(const std::string& name, const std::string& scope = R"({"networks":[{"ranges":["127.0.0.0/8"]}]})") {
    PicketdOptions options;
    options.build = PICKET_BUILD;
    options.folder = folder_.path() / name;
    options.root_file = publisher_ / "repository/metadata/1.root.json";
    options.plugins = {kSource};
    options.settings = {{"org.picket.update", R"({"interval_minutes":0,"rest_after_failure_seconds":1,"components":["db"],"sources":[{"name":"site","plugin":"org.picket.source-distribution-point","location":"points"}]})"},
                        {kSource, cat(R"({"device":")", name, R"(","points":[{"name":"dead","url":"http://127.0.0.1:1/","scope":)", scope, R"(},{"name":"point 1","url":")", url(), R"(","scope":)", scope, "}]}")}};
    auto started = Picketd::start(options);
    EXPECT_TRUE(started) << started.error().message;
    if (!started) return nullptr;
    (void)(*started)->ask("picket.source.probe", "");  // refused, once the source is there
    return std::move(*started);
  }
  static up::RunResult update(Picketd& agent) {
    up::RunRequest request;
    request.set_force_check(true);
    const auto result = agent.ask<up::RunResult>("picket.update.run", request);
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(up::RunResult());
  }
  static std::uint64_t release_of(Picketd& agent) {
    const auto status = agent.ask<up::StatusReply>("picket.update.status", up::StatusRequest());
    if (status)
      for (const auto& component : status->components())
        if (component.component() == "db") return component.release();
    return 0;
  }
  static std::string explain(Picketd& agent) {
    const auto reply = agent.ask<up::ExplainReply>("picket.update.explain", up::ExplainRequest());
    std::string out;
    if (reply)
      for (const auto& step : reply->steps()) out += step.source() + " " + step.file() + ": " + step.decision() + "\n";
    return out;
  }

  TemporaryFolder folder_;
  fs::path publisher_;
  std::uint16_t port_ = 0;
  dp::DownloadResult last_;
  std::unique_ptr<Picketd> point_;
};

TEST_F(DistributionPoint, brings_what_the_agents_behind_it_ask_for_and_serves_them_while_it_is_updated) {
  start_point();
  EXPECT_EQ(download().result_class(), "ok");  // nothing is wanted yet: only what every check reads
  auto a = start_agent("agent-a"), b = start_agent("agent-b");
  ASSERT_TRUE(a && b);
  const auto first = update(*a);
  EXPECT_EQ(first.result(), "failed") << first.text();  // the point has it not yet, but knows now that it is wanted
  const auto brought = download();
  EXPECT_EQ(brought.result_class(), "ok") << brought.reason();
  EXPECT_EQ(brought.files(), 1u);  // not the unwanted one
  const auto status = point_->ask<dp::StatusReply>("picket.distribution_point.status", dp::StatusRequest());
  ASSERT_TRUE(status && status->wishes_size() == 1);
  EXPECT_EQ(status->wishes(0).by(0), "agent-a");
  EXPECT_EQ(status->wishes(0).release(), 1u);
  EXPECT_EQ(update(*a).result(), "ok") << explain(*a);
  EXPECT_EQ(update(*b).result(), "ok") << explain(*b);
  const auto why = explain(*b);
  EXPECT_NE(why.find("from " + url()), std::string::npos) << why;

  // Both ask without a pause while three releases come.
  std::atomic<bool> over{false};
  std::atomic<int> runs{0};
  std::string trouble;
  std::mutex mutex;
  const auto keep_current = [&](Picketd& agent) {
    while (!over) {
      const auto result = update(agent);
      ++runs;
      if (result.result() == "ok" || result.result() == "current") continue;
      const std::lock_guard lock(mutex);
      trouble += result.result() + ": " + result.text() + "\n" + explain(agent);
    }
  };
  std::thread of_a([&] { keep_current(*a); }), of_b([&] { keep_current(*b); });
  std::uint32_t files = 0;
  for (int number = 2; number <= 4; ++number) {
    release(number);
    const auto result = download();
    EXPECT_EQ(result.result_class(), "ok") << result.reason();
    EXPECT_TRUE(result.published());
    files += result.files();
  }
  over = true;
  of_a.join();
  of_b.join();
  EXPECT_EQ(trouble, "");
  EXPECT_GT(runs, 2);
  EXPECT_EQ(files, 6u);  // each release and the delta to it, once, for both
  (void)update(*a);
  (void)update(*b);
  EXPECT_EQ(release_of(*a), 4u);
  EXPECT_EQ(release_of(*b), 4u);
}

TEST_F(DistributionPoint, never_shows_half_a_set_to_clients_that_ask_without_a_pause) {
  start_point(R"(,"components":[{"component":"db"}],"threads":4)");
  ASSERT_EQ(download().result_class(), "ok");
  const auto root = picket::read_file(publisher_ / "repository/metadata/1.root.json", 1u << 20).value();
  std::atomic<bool> over{false};
  std::atomic<int> looks{0};
  std::mutex mutex;
  std::string trouble;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&, i] {
      Web web(url());
      std::int64_t last = 0;
      for (int n = 0; !over; ++n) {
        // A fresh client each time: it walks all the way from the first root to the file's last byte.
        const auto place = folder_.path() / cat("client-", std::to_string(i), "-", std::to_string(n));
        const auto got = picket::support::CheckingClient(place, root, [&](const std::string& path) { return web(path); }, [] { return std::time(nullptr); }).newest("db");
        std::error_code ignored;
        fs::remove_all(place, ignored);
        ++looks;
        const std::lock_guard lock(mutex);
        if (!got) trouble += got.error().message + "\n";
        else if (*got < last) trouble += "went back to " + std::to_string(*got) + "\n";
        else last = *got;
      }
    });
  for (int number = 2; number <= 4; ++number) {
    release(number);
    EXPECT_EQ(download().result_class(), "ok");
  }
  over = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(trouble, "");
  EXPECT_GT(looks, 4);
}

// Three hundred devices, each once from nothing to current, while three releases are published; the bench has a thousand.
TEST_F(DistributionPoint, makes_hundreds_of_new_clients_current_while_it_publishes) {
  start_point(R"(,"components":[{"component":"db"}],"threads":2)");
  ASSERT_EQ(download().result_class(), "ok");
  const auto root = picket::read_file(publisher_ / "repository/metadata/1.root.json", 1u << 20).value();
  constexpr int kClients = 300, kThreads = 6;
  std::atomic<int> next{0}, done{0};
  std::atomic<std::int64_t> published{1};
  std::mutex mutex;
  std::string trouble;
  std::vector<std::thread> clients;
  for (int i = 0; i < kThreads; ++i)
    clients.emplace_back([&] {
      for (int n = next++; n < kClients; n = next++) {
        Web web(url());  // a connection of its own
        const auto place = folder_.path() / cat("device-", std::to_string(n));
        const auto least = published.load();
        const auto got = picket::support::CheckingClient(place, root, [&](const std::string& path) { return web(path); }, [] { return std::time(nullptr); }).newest("db");
        std::error_code ignored;
        fs::remove_all(place, ignored);
        ++done;
        const std::lock_guard lock(mutex);
        if (!got) trouble += got.error().message + "\n";
        else if (*got < least) trouble += cat("release ", std::to_string(*got), " after ", std::to_string(least), " was published\n");
      }
    });
  for (int number = 2; number <= 4; ++number) {
    release(number);
    EXPECT_EQ(download().result_class(), "ok");
    published = number;
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(trouble, "");
  EXPECT_EQ(done, kClients);
}

TEST_F(DistributionPoint, cannot_pass_a_flipped_bit_to_an_agent) {
  start_point(R"(,"components":[{"component":"db"}])");
  ASSERT_EQ(download().result_class(), "ok");
  for (const auto& entry : fs::directory_iterator(folder_.path() / "mirror/files")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(654'321);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(654'321);
    file.put(byte);
  }
  auto agent = start_agent("agent");
  ASSERT_TRUE(agent);
  const auto result = update(*agent);
  EXPECT_EQ(result.result(), "failed");
  EXPECT_EQ(release_of(*agent), 0u);
  EXPECT_NE(explain(*agent).find("wrong digest"), std::string::npos) << explain(*agent);
  // And the point does not go on for ever with it.
  const auto healed = download();
  EXPECT_EQ(healed.result_class(), "ok") << healed.reason();
  EXPECT_EQ(healed.files(), 1u);
  EXPECT_TRUE(healed.published());
  EXPECT_NE(point_->log().find("is damaged on this computer's disk"), std::string::npos) << point_->log();
  EXPECT_EQ(update(*agent).result(), "ok") << explain(*agent);
  EXPECT_EQ(release_of(*agent), 1u);
}

TEST_F(DistributionPoint, keeps_what_devices_asked_for_when_it_is_killed_at_once_and_when_the_list_is_damaged) {
  start_point();
  ASSERT_EQ(download().result_class(), "ok");
  auto agent = start_agent("agent");
  ASSERT_TRUE(agent);
  EXPECT_EQ(update(*agent).result(), "failed");  // the point has heard of it now
  point_->kill();
  start_point();
  const auto brought = download();
  EXPECT_EQ(brought.result_class(), "ok") << brought.reason();
  EXPECT_EQ(brought.files(), 1u);
  EXPECT_EQ(update(*agent).result(), "ok") << explain(*agent);
  point_->kill();
  {
    std::fstream list(folder_.path() / "mirror/demand.log", std::ios::in | std::ios::out | std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(list), {}};
    const auto at = all.find("agent");
    ASSERT_NE(at, all.npos) << all;
    list.seekp(static_cast<std::streamoff>(at));
    list.put('A');
  }
  start_point();
  EXPECT_NE(point_->log().find("could not be read again, or not all of it"), std::string::npos) << point_->log();
  const auto after = download();
  EXPECT_EQ(after.result_class(), "ok") << after.reason();
  EXPECT_FALSE(after.published()) << "nothing that was served is gone";
  EXPECT_EQ(update(*start_agent("another")).result(), "ok");
}

TEST_F(DistributionPoint, is_not_asked_by_who_is_out_of_its_scope) {
  start_point(R"(,"components":[{"component":"db"}])");
  ASSERT_EQ(download().result_class(), "ok");
  auto agent = start_agent("agent", R"({"devices":["somebody-else"],"networks":[{"ranges":["127.0.0.0/8"],"domains":["no.such.domain.example"]}]})");
  ASSERT_TRUE(agent);
  EXPECT_EQ(update(*agent).result(), "failed");
  EXPECT_NE(explain(*agent).find("none of"), std::string::npos) << explain(*agent);
  const auto status = point_->ask<dp::StatusReply>("picket.distribution_point.status", dp::StatusRequest());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->requests(), 0u);
}

TEST_F(DistributionPoint, goes_on_serving_and_downloading_after_it_was_killed) {
  start_point(R"(,"components":[{"component":"db"}])", true);
  ASSERT_EQ(download().result_class(), "ok");
  const auto root = picket::read_file(publisher_ / "repository/metadata/1.root.json", 1u << 20).value();
  const auto now_served = [&]() -> std::int64_t {
    Web web(url());
    const auto place = folder_.path() / "look";
    const auto got = picket::support::CheckingClient(place, root, [&](const std::string& path) { return web(path); }, [] { return std::time(nullptr); }).newest("db");
    std::error_code ignored;
    fs::remove_all(place, ignored);
    EXPECT_TRUE(got) << got.error().message;
    return got.value_or(0);
  };
  for (int number = 2; number <= 4; ++number) {
    release(number);
    // Killed at another point of its way each time; its plugin's child goes with it.
    const auto before = entries("mirror/files");
    std::atomic<bool> answered{false};
    std::thread killer([&] {
      while (!answered) {
        const bool now = number == 2 ? entries("mirror/incoming") > 0 : number == 3 ? entries("mirror/files") > before : fs::exists(folder_.path() / cat("mirror/sets/", std::to_string(number), ".new"));
        if (now) break;
        ::poll(nullptr, 0, 0);
      }
      point_->kill();
    });
    (void)point_->ask("picket.distribution_point.download", "");
    answered = true;
    killer.join();
    start_point(R"(,"components":[{"component":"db"}])", true);  // the same port
    const auto served = now_served();
    EXPECT_TRUE(served == number || served == number - 1) << served;
    const auto result = download();
    EXPECT_EQ(result.result_class(), "ok") << result.reason();
    EXPECT_EQ(now_served(), number);
  }
}

TEST_F(DistributionPoint, warns_when_little_space_is_free_and_keeps_sources_from_picketctl) {
  start_point(R"(,"free_space_warning_mb":100000000)");
  EXPECT_EQ(download().result_class(), "ok");
  EXPECT_NE(point_->log().find("are free for the repository, fewer than"), std::string::npos) << point_->log();
  const auto sources = point_->ask<up::SourcesReply>("picket.update.sources", up::SourcesRequest());
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, Code::denied);
  const auto told = point_->ask<up::WhatIsSentReply>("picket.update.what_is_sent", up::WhatIsSentRequest());
  ASSERT_TRUE(told && told->items_size() == 4);
  EXPECT_EQ(told->items(1).value().size(), 32u);
  EXPECT_EQ(told->user_agent(), cat("Picket/", told->items(0).value().substr(7), " (installation ", told->items(1).value(), "; licence -; run 1)"));
}

}  // namespace
