// One batch of questions: looked up, put together, sealed. Keeps its memory from batch to batch. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ksn/answers.hpp"
#include "ksn_store/store.hpp"
#include "refusal.hpp"
#include "settings.hpp"
#include "signer.hpp"

namespace ksn_service {

struct AskCounts {
  std::uint64_t digests = 0, known = 0, prefixes = 0;
};

class Asking {
 public:
  explicit Asking(const ServiceSettings& settings);

  // How many are asked, or what is wrong with the questions.
  [[nodiscard]] static tl::expected<std::size_t, Refused> count(const v1::AskRequest& request);

  // A serialised AskReply without wishes. `unknown`: the full file digests about which nothing is known, at most 64 of them.
  [[nodiscard]] tl::expected<std::string, Refused> answer(const v1::AskRequest& request, picket::ksn_store::Store& store, const Signer& signer, std::int64_t now, AskCounts& counts,
                                                              std::vector<std::string_view>& unknown);
  // Of the store, when answer() refused for it; else without a message.
  [[nodiscard]] const picket::Error& last_error() const { return last_error_; }

 private:
  // One request's: who seals its answers, and how.
  struct Sealing {
    const Signer& signer;
    picket::ksn::Statement statement;
    std::int64_t issued;
    bool each;
  };
  // What is in said_. False: it cannot be signed.
  [[nodiscard]] bool append_answer(const picket::ksn::Question& question, Sealing& sealing, std::string& out);

  const ServiceSettings& settings_;
  std::array<std::string, 4> ttl_;  // by verdict: the field ttl_seconds of Facts
  std::string prefix_ttl_;          // the field ttl_seconds of UnderPrefix
  picket::ksn::ReplyDigest digest_;
  picket::ksn_store::Batch batch_;
  std::string said_, found_, answer_;
  picket::Error last_error_;
};

}  // namespace ksn_service
