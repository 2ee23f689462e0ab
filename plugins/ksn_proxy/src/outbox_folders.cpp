#include "outbox_folders.hpp"

#include <algorithm>
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
