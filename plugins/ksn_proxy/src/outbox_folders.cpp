#include "outbox_folders.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace ksn_proxy {
namespace {

using picket::Result;
namespace fs = std::filesystem;

constexpr std::string_view kKeys = "ksn";  // in each folder: whose it is, an id a line
constexpr std::string_view kPutAside = ".damaged";
constexpr std::uint64_t kMostKeysBytes = 64u << 10;

std::vector<fs::path> folders_in(const fs::path& all) {
  std::vector<fs::path> out;
  std::error_code error;
  for (auto it = fs::directory_iterator(all, error); !error && it != fs::directory_iterator(); it.increment(error))
    if (it->symlink_status(error).type() == fs::file_type::directory) out.push_back(it->path());
  std::sort(out.begin(), out.end());
  return out;
}

// take(path, bytes, when it was written)
template <class Take>
void each_file_in(const fs::path& folder, const Take& take) {
  std::error_code error;
  for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    std::error_code gone;
    if (!it->is_regular_file(gone)) continue;
    const auto bytes = it->file_size(gone);
    if (gone) continue;
    const auto when = it->last_write_time(gone);
    if (!gone) take(it->path(), bytes, when);
  }
}

std::vector<std::string> ids_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) out.emplace_back(text.substr(0, end));
  return out;
}

}  // namespace

Result<fs::path> outbox_folder(const fs::path& all, const std::vector<std::string>& keys) {
  if (keys.empty()) return all;
  std::string ids;
  for (const auto& key : keys) ids += key + "\n";
  auto own = all / picket::sha256_hex(keys.front()).substr(0, 16);
  std::string before;
  for (const auto& folder : folders_in(all)) {
    const auto text = picket::read_file(folder / kKeys, kMostKeysBytes);
    if (!text || std::none_of(keys.begin(), keys.end(), [&](const std::string& key) { return text->find(key + "\n") != text->npos; })) continue;
    own = folder;
    before = *text;
    break;
  }
  PICKET_TRY(picket::make_folders(own, 0750));
  if (before != ids) PICKET_TRY(picket::write_file_atomic(own / kKeys, ids, 0640));
  return own;
}

Result<Outbox::Counters> take_in_earlier(const fs::path& all, const std::vector<std::string>& keys, Outbox::Limits limits) {
  constexpr std::string_view kDelivered = "delivered";  // which every outbox has
  std::error_code error;
  if (keys.empty() || !fs::exists(all / kDelivered, error)) return Outbox::Counters();
  const auto text = picket::read_file(all / kKeys, kMostKeysBytes);
  if (!text && text.error().code != picket::Code::not_found) return picket::fail(text.error());
  const auto whose = text ? ids_of(*text) : std::vector<std::string>();
  PICKET_LET(folder, outbox_folder(all, whose.empty() ? keys : whose));
  limits.bytes = std::numeric_limits<std::uint64_t>::max();  // it was taken, whatever the bound is by now
  PICKET_LET(into, Outbox::open(folder, limits, [](const Message&) {}));
  Result<> taken;
  PICKET_LET(from, Outbox::open(all, limits, [&](const Message& message) {
    if (taken) taken = into.append(message);
  }));
  PICKET_TRY(into.sync());
  if (!taken) return picket::fail(std::move(taken).error());
  while (from.counters().waiting > 0) PICKET_TRY(from.drop());
  PICKET_TRY(picket::remove_file(all / kKeys));
  PICKET_TRY(picket::remove_file(all / kDelivered));
  return from.counters();
}

std::deque<OtherOutbox> other_outboxes(const fs::path& all, const fs::path& own) {
  std::multimap<fs::file_time_type, OtherOutbox> by_age;
  for (const auto& folder : folders_in(all)) {
    if (folder == own) continue;
    OtherOutbox other{folder};
    auto written = fs::file_time_type::min();
    each_file_in(folder, [&](const fs::path& file, std::uint64_t bytes, fs::file_time_type when) {
      if (file.extension() == kPutAside) return;
      other.bytes += bytes;
      written = std::max(written, when);
    });
    by_age.emplace(written, std::move(other));
  }
  std::deque<OtherOutbox> out;
  for (auto& [written, other] : by_age) out.push_back(std::move(other));
  return out;
}

std::deque<PutAside> put_aside(const fs::path& all) {
  std::multimap<fs::file_time_type, PutAside> by_age;
  auto folders = folders_in(all);
  folders.push_back(all);
  for (const auto& folder : folders)
    each_file_in(folder, [&](const fs::path& file, std::uint64_t bytes, fs::file_time_type when) {
      if (file.extension() == kPutAside) by_age.emplace(when, PutAside{file, bytes});
    });
  std::deque<PutAside> out;
  for (auto& [when, one] : by_age) out.push_back(std::move(one));
  return out;
}

std::uint64_t remove_outbox(const fs::path& folder) {
  const auto outbox = Outbox::open(folder, {}, [](const Message&) {});
  std::error_code error;  // one that cannot be removed is tried again after the next start
  fs::remove_all(folder, error);
  return outbox ? outbox->counters().waiting : 0;
}

}  // namespace ksn_proxy
