// One batch of questions: looked up, put together, signed once. Keeps its memory from batch to batch. One thread at a time.
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
  // Of the store, when answer() refused for it.
  [[nodiscard]] const picket::Error& last_error() const { return last_error_; }

 private:
  [[nodiscard]] char* begin_answer(std::size_t record_bytes, std::string& out);
  void append_answer(int kind, std::string_view digest, std::string_view facts, std::string_view ttl, std::string& out);

  const ServiceSettings& settings_;
  std::array<std::string, 4> ttl_;  // by verdict: the field ttl_seconds of Facts
  std::string prefix_ttl_;          // the field ttl_seconds of Record
  picket::ksn::Tree tree_;
  picket::ksn_store::Batch batch_;
  std::string record_, found_;
  picket::Error last_error_;
};

}  // namespace ksn_service
