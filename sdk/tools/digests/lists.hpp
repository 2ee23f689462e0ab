// Lists of digests as publishers have them, read into a Collection.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "digests/make/collection.hpp"

namespace picket::digests {

// What a list held.
struct ListReport {
  std::uint64_t sha256 = 0;                        // taken
  std::uint64_t md5 = 0, sha1 = 0, other = 0;      // digests that a database has no room for
  std::uint64_t unreadable = 0;
  std::string first_unreadable;                    // "line 12: ..."
};

// In any of the forms that `lists` reads. `verdict`: of all that does not say its own. Code::invalid: not a list, or no SHA-256 in it.
// Code::too_large: more than 4 GiB (64 MiB of JSON).
[[nodiscard]] Result<ListReport> read_list(const std::filesystem::path& path, Verdict verdict, Collection& into);
// The same of a text; one without a SHA-256 will do.
[[nodiscard]] Result<ListReport> read_list_text(std::string_view text, Verdict verdict, Collection& into);

// "hash-iocs.txt: 1259 SHA-256; not used: 1039 MD5, 926 SHA-1; 3 not understood, the first in line 7"
[[nodiscard]] std::string to_text(const std::filesystem::path& path, const ListReport& report);

}  // namespace picket::digests
