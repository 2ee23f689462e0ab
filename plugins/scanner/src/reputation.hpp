// Asks KSN about files, for all scans of the plugin, and knows whether there is any use in asking.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "asker.hpp"
#include "digests/digests.hpp"
#include "judge.hpp"

namespace scanner {

class Reputation {
 public:
  // `changed` is called on the thread that noticed, when in_use() or trouble() say something else than before.
  Reputation(picket::plugin::Host host, std::function<void()> changed) : asker_(host), changed_(std::move(changed)) {}

  void start();
  // Ends what waits for an answer.
  void stop() { asker_.stop(); }
  void wake() { asker_.wake(); }
  void on_state(std::string_view payload);
  void on_reply(std::uint64_t token, picket_status status, const picket::plugin::Message& message) { asker_.on_reply(token, status, message); }

  // While KSN is not in use only its client is, for what it knows itself; nobody is for some seconds after there was no answer.
  [[nodiscard]] bool is_asked() const;
  // Why no answer is to be expected; empty: as far as we know, KSN answers.
  [[nodiscard]] std::string trouble() const;

  struct Question {
    picket::digests::Sha256 digest;
    std::string_view path;  // where the file is found should KSN wish for it; never sent; may be empty
  };
  struct Answer {
    Ksn verdict = Ksn::unanswered;
    std::string category, threat, ksn;
    bool is_excluded = false;  // the administrator keeps it from KSN
  };
  struct Answers {
    std::vector<Answer> each;  // one a question, in their order
    std::string trouble;       // why some are unanswered
    bool known_only = false;   // nobody outside this computer was asked
  };
  // At the latest after `limit`. Waits: not on the plugin's thread.
  [[nodiscard]] Answers ask(std::span<const Question> questions, std::chrono::milliseconds limit, const std::atomic<bool>& cancelled);

 private:
  // What trouble() says then.
  std::string failed(std::string why, bool rest);
  void answered();

  picket::plugin::Asker asker_;
  const std::function<void()> changed_;
  mutable std::mutex mutex_;
  bool in_use_ = false;
  bool knows_ = false;                          // the client answers from its lists and its cache, in use or not
  std::string said_ = "no plugin has said so";  // by KSN's client
  bool unavailable_ = false;                    // by its own account
  std::string failure_;                         // of the last question; empty: it was answered
  std::chrono::steady_clock::time_point rest_until_{};
};

}  // namespace scanner
