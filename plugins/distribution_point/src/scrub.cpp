#include "scrub.hpp"

#include <algorithm>

namespace distribution_point {
namespace {

constexpr std::uint64_t kLeastPortion = 64u << 20;

}  // namespace

std::uint64_t portion_of(std::uint64_t stored_bytes, std::chrono::seconds interval) {
  const auto minutes = static_cast<std::uint64_t>(std::max<std::int64_t>(interval.count() / 60, 1));
  return std::max(kLeastPortion, stored_bytes / minutes + 1);
}

void Scrub::begin_anew() { store_.set_cursor(""); }

Scrub::Portion Scrub::read(std::uint64_t bytes, const std::function<bool()>& stop) {
  Portion out;
  const auto all = store_.stored();
  const auto from = std::ranges::upper_bound(all, store_.cursor(), {}, &Store::Stored::path);
  std::string last;
  for (auto file = from; file != all.end(); ++file) {
    const auto look = out.bytes < bytes ? store_.look(*file, stop) : Store::Look::stopped;
    if (look == Store::Look::stopped) {
      if (!last.empty()) store_.set_cursor(last);
      return out;
    }
    out.bytes += file->size;
    last = file->path;
    if (look == Store::Look::good) continue;
    store_.take_out(*file);
    out.damaged.push_back(file->name);
  }
  store_.set_cursor("");
  out.is_round_over = true;
  return out;
}

}  // namespace distribution_point
