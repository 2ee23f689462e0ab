// The full form over bytes that somebody else keeps.
#pragma once

#include <string_view>

#include "digests/format.hpp"

namespace picket::digests {

class Full {
 public:
  // Checks all bounds, so that find() may trust them.
  [[nodiscard]] static Result<Full> read(std::string_view bytes);
  [[nodiscard]] Known find(const Sha256& digest) const;
  [[nodiscard]] Result<> check() const;
  [[nodiscard]] const format::Header& header() const { return header_; }

 private:
  [[nodiscard]] std::string_view digest(std::uint64_t position) const { return {digests_ + position * format::kDigestBytes, format::kDigestBytes}; }
  [[nodiscard]] Known at(std::uint64_t position) const;
  [[nodiscard]] std::uint64_t index(std::uint64_t bucket) const { return format::load32(index_ + 4 * bucket); }
  [[nodiscard]] std::uint32_t reference(std::uint64_t position) const;
  [[nodiscard]] Result<> check_index() const;
  [[nodiscard]] Result<> check_entries() const;
  [[nodiscard]] Result<> check_references() const;
  [[nodiscard]] Result<> check_order(std::uint64_t step) const;

  format::Header header_;
  const char *index_ = nullptr, *digests_ = nullptr, *references_ = nullptr, *entries_ = nullptr, *texts_ = nullptr;
};

}  // namespace picket::digests
