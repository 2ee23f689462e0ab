// The outbox of extended mode over a record in memory.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "outbox.hpp"
#include "support/server_process.hpp"

namespace ksn_client {

inline constexpr std::int64_t kToday = 1'800'000'000;

struct KsnOutbox : testing::Test {
  std::map<std::string, std::string, std::less<>> kept;
  Keep keep{[this](std::string_view key) -> Result<std::string> {
              const auto found = kept.find(key);
              if (found == kept.end()) return fail(Code::not_found, "not there");
              return found->second;
            },
            [this](std::string_view key, std::string_view value) {
              kept[std::string(key)] = value;
              return true;
            }};
  std::string told;
  std::vector<std::string> warnings;
  picket::support::ServerFolder folder;
  static Outbox::Limits limits() { return {true, std::chrono::hours(24), {"executable"}, 1 << 20, 8 << 20}; }
  std::unique_ptr<Outbox> make(std::int64_t now = kToday) {
    auto out = std::make_unique<Outbox>(keep, told, [this](std::string_view text) { warnings.emplace_back(text); });
    out->use(limits(), {}, now);
    return out;
  }
  std::string write(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(picket::write_file_atomic(folder / name, bytes));
    return *picket::from_hex(picket::sha256_hex(bytes));
  }
  static v1::Wish wish_for(const std::string& digest) {
    v1::Wish wish;
    wish.set_digest(digest);
    return wish;
  }
};

}  // namespace ksn_client
