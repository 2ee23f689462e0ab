// A small KSN for tests: a real HTTPS server on loopback with real keys, that knows what a test says and misbehaves as a test wants.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "ksn/answers.hpp"
#include "ksn/provider.hpp"
#include "ksn_server/server.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "support/server_process.hpp"
#include "trust/dsse.hpp"

namespace picket::support {

namespace ksn_v1 = picket::ksn::v1;

class KsnServiceFake {
 public:
  // puts_aside: a proxy whose line is down takes statistics and files, and answers nothing. full: it has no more room for them, and answers.
  // page: a web server before it answers statistics and files with a page of its own.
  enum class Mood { honest, silent, unavailable, puts_aside, full, page, malformed, truncated, too_few, other_question, forged, stale, future, licence_unknown, licence_expired, huge, other_ksn, wrong_prefix };

  // `folder` gets provider.dsse, keys/provider.pub.json and certificate.pem.
  KsnServiceFake(const std::filesystem::path& folder, std::string name = "Test KSN", bool private_ksn = true);
  ~KsnServiceFake();
  KsnServiceFake(const KsnServiceFake&) = delete;
  KsnServiceFake& operator=(const KsnServiceFake&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const;  // "127.0.0.1:PORT"
  [[nodiscard]] std::filesystem::path provider_file() const { return folder_ / "provider.dsse"; }
  [[nodiscard]] std::filesystem::path provider_keys() const { return folder_ / "keys"; }
  [[nodiscard]] std::filesystem::path certificate() const { return folder_ / "certificate.pem"; }

  void knows(const std::string& digest, ksn_v1::Verdict verdict, const std::string& threat = {}, std::uint32_t ttl = 3600, ksn_v1::ObjectKind kind = ksn_v1::OBJECT_FILE);
  void mood(Mood mood) { mood_ = mood; }
  void answer_held(Mood mood = Mood::honest);  // what came while it was silent, in order, and in this mood from then on
  void wish(const std::string& digest, std::uint64_t first = 0, std::uint64_t bytes = 0, const std::string& type = {});
  void take_content(bool takes) { takes_content_ = takes; }
  void issue_ago(std::int64_t seconds) { issued_ago_ = seconds; }
  void die();       // connections are cut
  void come_back(); // on the same port

  struct Seen {
    std::uint64_t asks = 0, hellos = 0, digests = 0;
    std::vector<ksn_v1::AskRequest> requests;
    std::vector<ksn_v1::StatisticsRequest> statistics;
    std::map<std::string, std::string> content;  // by digest
    std::uint64_t content_requests = 0, content_bytes = 0;
    std::map<std::string, unsigned> times;       // how often each digest was asked
  };
  [[nodiscard]] Seen seen() const;
  [[nodiscard]] std::uint64_t messages() const { return messages_; }

 private:
  void serve(const std::string& path, const std::string& body, ksn_server::Reply reply);
  [[nodiscard]] std::string answer_ask(const ksn_v1::AskRequest& request, Mood mood);
  [[nodiscard]] std::string take_part(const ksn_v1::ContentRequest& request);

  const std::filesystem::path folder_;
  const std::string name_;
  const bool private_;
  trust::PrivateKey key_, stranger_;
  std::uint16_t port_ = 0;
  std::atomic<Mood> mood_ = Mood::honest;
  std::atomic<bool> takes_content_ = true;
  std::atomic<std::int64_t> issued_ago_ = 0;
  std::atomic<std::uint64_t> messages_ = 0;
  mutable std::mutex mutex_;
  std::map<std::pair<int, std::string>, ksn_v1::Facts> known_;
  std::vector<ksn_v1::Wish> wishes_;
  struct Held {
    std::string path, body;
    ksn_server::Reply reply;
  };
  std::vector<Held> held_;
  Seen seen_;
  std::unique_ptr<ksn_server::Server> server_;
};

}  // namespace picket::support
