// The facade: a set of digests as the update brings it, full or light, behind one question.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::digests {

using Sha256 = std::array<std::uint8_t, 32>;

// The numbers of picket.ksn.v1.Verdict.
enum class Verdict : std::uint8_t { unknown = 0, trusted = 1, abusable = 2, untrusted = 3 };
[[nodiscard]] std::string_view to_string(Verdict verdict);

// What a database says of a digest. Texts live as long as the database.
struct Known {
  Verdict verdict = Verdict::unknown;  // unknown: not in it
  bool maybe = false;                  // a light one: in it, or one of those that look so; only KSN can tell
  std::string_view category, name;
};

struct Counts {
  std::uint64_t untrusted = 0, abusable = 0, trusted = 0;
  [[nodiscard]] std::uint64_t all() const { return untrusted + abusable + trusted; }
};

class Database {
 public:
  // A set: the folder with digests.full or digests.light. Code::not_found without any, Code::invalid with both or a damaged one.
  [[nodiscard]] static Result<std::shared_ptr<const Database>> open_set(const std::filesystem::path& folder);
  // One file, of whichever form.
  [[nodiscard]] static Result<std::shared_ptr<const Database>> open(const std::filesystem::path& file);
  // The same from bytes that outlive it: for tests.
  [[nodiscard]] static Result<std::shared_ptr<const Database>> of_bytes(std::string_view bytes);
  virtual ~Database() = default;

  [[nodiscard]] virtual Known find(const Sha256& digest) const = 0;
  [[nodiscard]] virtual bool is_light() const = 0;
  [[nodiscard]] virtual Counts counts() const = 0;
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
  // Reads all of it: what opening only samples. For publishers.
  [[nodiscard]] virtual Result<> check() const = 0;
};

inline constexpr std::string_view kFullName = "digests.full", kLightName = "digests.light";

}  // namespace picket::digests
