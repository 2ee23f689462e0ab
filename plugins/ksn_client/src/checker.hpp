// Objects in, what is known of them out: local lists, the cache, then KSN where it may be asked. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "broker.hpp"
#include "local_lists.hpp"
#include "objects.hpp"
#include "picket/ksn/v1/check.pb.h"

namespace ksn_client {

class Checker {
 public:
  static constexpr int kMostObjects = 10'000;
  static constexpr std::size_t kMostReply = 131'072;  // one message of the bus

  struct Policy {
    std::shared_ptr<const LocalLists> local;
    std::shared_ptr<Cache> cache;
    std::string ksn;
    bool private_ksn = false;
    std::uint32_t file_prefix = 0, address_prefix = 0, software_prefix = 0;
  };
  struct Parts {
    Broker& broker;
    std::function<std::int64_t()> now;
    std::function<std::string(v1::ObjectKind)> may_not;   // why this kind may not be asked now; empty: it may
    std::function<std::string()> status_line;
    std::function<void(const v1::Object&)> asks{};        // KSN is asked about it now
  };
  explicit Checker(Parts parts) : parts_(std::move(parts)) {}

  void use(Policy policy);

  // `done` once, perhaps before check returns: the bytes of a CheckReply. Code::too_large: nothing was asked.
  using Done = std::function<void(Result<std::string>)>;
  void check(const v1::CheckRequest& request, std::chrono::milliseconds deadline, Done done);

  struct Counters {
    std::atomic<std::uint64_t> files{0}, addresses{0}, software{0}, local{0}, cached{0}, network{0}, unanswered{0}, trusted{0}, abusable{0}, untrusted{0}, unknown{0};
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  struct Question;
  struct Job;
  [[nodiscard]] std::string reply(const Job& job);
  static void append(const Question& question, std::string_view whose, std::string& one, std::string& out);
  void count(const Job& job);
  [[nodiscard]] std::shared_ptr<const Policy> policy() const;

  const Parts parts_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Policy> policy_ = std::make_shared<const Policy>();
  Counters counters_;
};

// What a value from the cache or the network says of one full digest: Facts as on the wire, empty: unknown. `asked` may be a prefix.
[[nodiscard]] std::string facts_for(const Key& full, const Key& asked, std::string_view value);
[[nodiscard]] v1::Verdict verdict_in(std::string_view facts);

}  // namespace ksn_client
