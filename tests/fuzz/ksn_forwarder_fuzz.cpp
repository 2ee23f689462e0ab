// Statistics, content and greetings that devices send to the KSN proxy, and whatever a KSN answers to what is passed on: at once, or later from the
// disk. Each is answered once: with the KSN's own words, or with an answer that a client can read. What waits survives a restart.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <unistd.h>

#include "base/files.hpp"
#include "service.hpp"
#include "unit/plugins/ksn_proxy/fake_ksn.hpp"

namespace {

namespace v1 = picket::ksn::v1;
using namespace picket::ksn_proxy_tests;

// Answers with a part of the input, or cannot be reached.
class Liar final : public ksn_proxy::Upstream {
 public:
  void post(std::string_view, std::string, std::chrono::milliseconds, Done done) override {
    if (away) return done(picket::fail(picket::Code::unavailable, "no route to host"));
    done(ksn_proxy::Posted{status, answer});
  }
  void blame(const ksn_proxy::Posted&, std::string_view) override {}
  std::uint32_t rests_for() const override { return away ? 1 : 0; }
  std::string describe() const override { return {}; }
  std::atomic<bool> away = false;
  int status = 200;
  std::string answer;
};

constexpr int kStatuses[] = {200, 400, 403, 409, 503, 429, 302, 500};
int no_flush(int) { return 0; }

struct Proxy {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("ksn_forwarder_fuzz." + std::to_string(::getpid()));
  FakeKsn key;
  Liar liar;
  std::unique_ptr<ksn_proxy::Broker> broker;
  std::unique_ptr<ksn_proxy::Forwarder> forwarder;
  std::unique_ptr<ksn_proxy::Service> service;

  Proxy() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    if (!picket::make_folders(folder)) std::abort();
    ksn_proxy::BrokerSettings settings;
    settings.gather = std::chrono::milliseconds(0);
    broker = std::make_unique<ksn_proxy::Broker>(
        settings, ksn_proxy::Broker::Parts{liar, key.verifier(), std::string(16, 'p'), "fuzz", [this] { return key.now.load(); }, [](std::string_view) {}});
    start();
  }
  ~Proxy() {
    service.reset();
    forwarder.reset();
    broker.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void start() {
    service.reset();
    forwarder.reset();
    ksn_proxy::ForwarderSettings settings;
    settings.folder = folder;
    settings.limits = {1u << 20, 64u << 10, &no_flush};
    settings.pause = std::chrono::milliseconds(0);
    auto started = ksn_proxy::Forwarder::start(settings, {liar, [this] { return key.now.load(); }, [](std::string_view) {}});
    if (!started) std::abort();
    forwarder = std::move(*started);
    service = std::make_unique<ksn_proxy::Service>(*broker, *forwarder, ksn_proxy::WhoseKsn{"fuzz", true, "1"}, [this] { return key.now.load(); });
  }
  int send(std::string_view path, std::string_view body, bool words_of_ksn) {
    Answered answered;
    ksn_server::Request request;
    request.path = path;
    request.body = body;
    service->handle(request, answered.reply());
    const int status = answered.wait();
    if (status == 200 || (words_of_ksn && status == liar.status)) return status;
    v1::Refusal refusal;
    if (!refusal.ParseFromString(answered.body()) || refusal.why() == 0 || refusal.text().empty()) std::abort();
    return status;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Two bytes: what happens, and how much of the rest is the device's; what follows is the KSN's answer.
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto body = rest.substr(0, data[1]), answer = rest.substr(body.size());
  const char* path = (data[0] & 1) != 0 ? "/ksn/v1/content" : "/ksn/v1/statistics";
  Proxy proxy;
  if (proxy.send("/ksn/v1/hello", body, false) == 0) std::abort();
  proxy.liar.answer = answer;
  proxy.liar.status = kStatuses[data[0] >> 1 & 7];
  proxy.liar.away = (data[0] & 0x10) != 0;
  const int first = proxy.send(path, body, true);
  v1::StatisticsRequest statistics;
  v1::ContentRequest content;
  const auto bytes = static_cast<int>(body.size());
  if (first == 200 && !((data[0] & 1) != 0 ? content.ParseFromArray(body.data(), bytes) : statistics.ParseFromArray(body.data(), bytes))) std::abort();
  (void)proxy.send(path, body, true);  // a device that did not hear the answer
  if (proxy.forwarder->counters().outbox.waiting > 0 && proxy.liar.away) {
    proxy.start();
    if (proxy.forwarder->counters().outbox.waiting == 0 || proxy.forwarder->counters().outbox.damaged != 0) std::abort();
    proxy.liar.away = false;
    proxy.start();
    // A word of the KSN ends it: delivered or given up. What is none ends nothing, but for what even a web server finds wrong with a message.
    const auto status = proxy.liar.status;
    const bool for_good = status == 400 || status == 413 || (status < 500 && status != 429 && ksn_proxy::is_word_of_ksn(path, {status, proxy.liar.answer}));
    while (for_good && proxy.forwarder->counters().outbox.waiting > 0) std::this_thread::yield();
  }
  return 0;
}
