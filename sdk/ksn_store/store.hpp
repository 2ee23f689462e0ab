// What a private KSN knows, whatever keeps it. Any thread may call; errors of a store that is away or broken are Code::unavailable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ksn_store/entry.hpp"

namespace picket::ksn_store {

// The answers to many digests. Keeps its memory from use to use.
struct Batch {
  struct One {
    std::uint32_t begin = 0, size = 0;  // in `bytes`: a serialised v1::Facts without a time to live; size 0: nothing is known
    std::uint8_t verdict = 0;
  };
  std::string bytes;
  std::vector<One> of;

  [[nodiscard]] std::string_view facts(std::size_t i) const { return std::string_view(bytes).substr(of[i].begin, of[i].size); }
  void clear() { bytes.clear(), of.clear(); }
};

struct Under {
  std::string digest, facts;
  std::uint8_t verdict = 0;
};

struct Row {
  std::string digest;  // 32 bytes
  std::string facts_texts;
  std::uint64_t popularity = 0;
  std::int64_t first_seen = 0;
  std::uint8_t verdict = 0;
};
[[nodiscard]] Row row_of(std::string digest, const Entry& entry);

struct Licence {
  std::string id;
  bool blocked = false;
  std::int64_t expires = 0;  // Unix seconds, 0: never
  std::string holder;
};

inline constexpr int kYearsOfSums = 2;

// What one client counted. The same id counts once.
struct Counted {
  std::string id;   // 16 bytes
  std::string day;  // YYYY-MM-DD, when it came in
  std::vector<std::pair<std::string, std::uint64_t>> counters;
};

class Store {
 public:
  virtual ~Store() = default;

  // `digests`: 32 bytes each, one after the other; adds one to out.of for each of them, in order. Kind: a v1::ObjectKind.
  [[nodiscard]] virtual Result<> look_up(int kind, std::string_view digests, Batch& out) = 0;
  // All that is known under a prefix of 4 to 31 bytes. More than `most`: Code::too_large.
  [[nodiscard]] virtual Result<std::vector<Under>> under(int kind, std::string_view prefix, std::size_t most) = 0;
  // Adds rows, or replaces what is known of the same digests. May reorder `rows`.
  [[nodiscard]] virtual Result<> put(int kind, std::span<Row> rows) = 0;
  // How many of them were known.
  [[nodiscard]] virtual Result<std::uint64_t> remove(int kind, std::span<const std::string> digests) = 0;

  [[nodiscard]] virtual Result<std::optional<Licence>> licence(std::string_view id) = 0;
  [[nodiscard]] virtual Result<std::vector<Licence>> licences() = 0;
  [[nodiscard]] virtual Result<> put_licence(const Licence& licence) = 0;

  // False: its id came before.
  [[nodiscard]] virtual Result<bool> count(const Counted& counted) = 0;
  // Day, name, sum. Sums are kept for kYearsOfSums.
  [[nodiscard]] virtual Result<std::map<std::string, std::map<std::string, std::uint64_t>>> counted() = 0;

  // Objects of a kind; nullopt where counting them would mean reading them all.
  [[nodiscard]] virtual Result<std::optional<std::uint64_t>> objects(int kind) = 0;
  // Whether the store is still what was opened; cheap, for a look every second.
  [[nodiscard]] virtual Result<> check() = 0;
  [[nodiscard]] virtual std::string name() const = 0;
};

// `where`: a folder (LMDB), or "redis:HOST:PORT,HOST:PORT" and options (a cluster, by some of its nodes; redis_store.hpp). create: makes an empty one where none is.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const std::string& where, bool create = false);
[[nodiscard]] Result<std::unique_ptr<Store>> open_lmdb_store(const std::string& folder, bool create);

}  // namespace picket::ksn_store
