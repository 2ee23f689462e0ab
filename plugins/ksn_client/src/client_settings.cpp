// What settings lead to: made before anything changes, then put in force at once.
#include <cstring>
#include <filesystem>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "client.hpp"

namespace ksn_client {
namespace {

constexpr std::string_view kNoLists = "nobody is asked before the local lists can be read: ";

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  const auto bytes = picket::random_bytes(sizeof seed);
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

}  // namespace

Result<Client::Derived> Client::derive(Settings settings) const {
  auto lists_seen = stamps_of(settings.local_files);
  auto local = LocalLists::make(settings);
  if (!local) return fail(std::move(local).error());
  auto derived = read_provider(std::move(settings));
  derived.local = std::make_shared<const LocalLists>(std::move(*local));
  derived.lists_seen = std::move(lists_seen);
  return derived;
}

// A start that fails is tried a few times only, and the lists may be mended long after: what they would have kept from being asked is not asked till then.
Client::Derived Client::derive_at_start(Settings settings) const {
  if (auto derived = derive(settings)) {
    return std::move(*derived);
  } else {
    auto lists_seen = stamps_of(settings.local_files);
    auto others = settings;
    others.local_files.clear();
    auto local = LocalLists::make(others);
    auto out = read_provider(std::move(settings));
    out.local = std::make_shared<const LocalLists>(local ? std::move(*local) : LocalLists());
    out.lists_seen = std::move(lists_seen);
    out.no_lists = cat(kNoLists, derived.error().message);
    host_.log(true, out.no_lists);
    return out;
  }
}

Result<> Client::apply(Settings settings) {
  const std::lock_guard lock(applying_);
  PICKET_LET(derived, derive(std::move(settings)));
  put_in_force(std::move(derived));
  return {};
}

// As with the provider file: what is no good changes nothing, and is told.
void Client::look_at_lists() {
  const std::lock_guard applying(applying_);
  Settings settings;
  {
    const std::lock_guard lock(mutex_);
    settings = settings_;
  }
  auto seen = stamps_of(settings.local_files);
  auto local = LocalLists::make(settings);
  {
    const std::lock_guard lock(mutex_);
    lists_seen_ = std::move(seen);
    if (local) {
      local_ = std::make_shared<const LocalLists>(std::move(*local));
      refused_lists_.clear();
      if (!std::exchange(situation_.no_lists, {}).empty()) greet_at_ = 0;
    } else if (situation_.no_lists.empty()) {
      refused_lists_ = cat("what was changed, for it is no good: ", local.error().message);
    } else {
      situation_.no_lists = cat(kNoLists, local.error().message);
    }
  }
  if (local) host_.log(false, "the local lists are read again: one was changed");
  refresh();
}

std::shared_ptr<Cache> Client::open_cache(const Settings& settings, std::string_view owner) {
  std::unique_ptr<DiskCache> disk;
  Cache::Later later;
  if (settings.cache_mb > 0 && owner.find_first_not_of('\0') != owner.npos) {
    std::string told;
    auto made = picket::make_folders(settings.folder, 0700);
    if (made) {
      const auto file = std::filesystem::path(settings.folder) / "cache";
      auto opened = DiskCache::open(file, settings.cache_mb << 20, owner, told);
      if (opened) disk = std::move(*opened);
      else if (opened.error().code == Code::busy) later = [file, bytes = settings.cache_mb << 20, owner = std::string(owner)] {
        std::string ignored;
        return DiskCache::open(file, bytes, owner, ignored);
      };
      else made = fail(std::move(opened).error());
    }
    if (!told.empty()) host_.log(true, cat("KSN's cache ", told));
    if (!made) host_.log(true, cat("KSN's answers are not kept on disk: ", made.error().message));
  }
  return std::make_shared<Cache>(settings.memory_entries, std::move(disk), random_seed(), std::move(later));
}

void Client::put_in_force(Derived derived) {
  const Settings& settings = derived.settings;
  // A language that does not ship leaves users without a text to accept.
  if (const auto ships = Statement::load(settings.statements_folder, settings.language); !ships) host_.log(true, ships.error().message);
  auto& provider = derived.provider;
  std::string why_none;
  std::vector<Way> ways;
  std::vector<std::string> key_ids;
  std::string owner(32, '\0');  // of nobody: no answers, and no file for them
  if (provider) {
    ways = ways_of(settings, *provider, derived.proxy_certificate, why_none);
    for (const auto& key : provider->answer_keys) key_ids.push_back(key.key_id());
    std::string identity = cat(provider->name, "\n", provider->private_ksn ? "private" : "global", "\n");
    for (const auto& id : key_ids) identity += id;
    owner = sha256(identity);
  } else {
    why_none = derived.trouble();
  }
  const std::string cache_name = cat(settings.folder, "\n", std::to_string(settings.cache_mb), "\n", std::to_string(settings.memory_entries), "\n", owner);
  std::shared_ptr<Cache> cache;
  {
    const std::lock_guard lock(mutex_);
    if (cache_ && cache_owner_ == cache_name) cache = cache_;
  }
  if (!cache) {
    {
      // The old one lets go of the file first.
      checker_->use({});
      broker_->use(nullptr, nullptr, settings.batch, settings.request_timeout);
      const std::lock_guard lock(mutex_);
      cache_.reset();
    }
    cache = open_cache(settings, owner);
  }
  auto trust = provider ? std::make_shared<const Trust>(provider->answer_keys, provider->name, provider->private_ksn) : nullptr;
  bool went_off = false, is_news = false;
  const auto take = [&] {
    const std::lock_guard lock(mutex_);
    const bool anew = settings_.licence != settings.licence || whose_ != owner;
    is_news = !settings.provider_file.empty() && derived.trouble() != trouble();
    settings_ = settings;
    whose_ = owner;
    files_seen_ = derived.files_seen;
    envelope_ = derived.envelope;
    proxy_certificate_ = derived.proxy_certificate.value_or("");
    situation_.refused_file = derived.refused;
    situation_.no_lists = derived.no_lists;
    if (derived.local != local_) refused_lists_.clear();  // they were read
    local_ = derived.local;
    lists_seen_ = derived.lists_seen;
    cache_ = cache;
    cache_owner_ = cache_name;
    trust_ = trust;
    situation_.has_provider = provider.has_value();
    situation_.private_ksn = provider && provider->private_ksn;
    situation_.no_provider = provider ? std::string() : why_none;
    situation_.extended = settings.extended;
    situation_.when_unavailable = settings.when_unavailable;
    if (provider) provider_ = std::move(*provider);
    else provider_.reset();
    auto places = host_.places;
    places.code_authorities = settings.code_authorities;
    programs_ = std::make_shared<Programs>(places);
    went_off = consent_changed();
    return anew;
  };
  std::size_t aside = 0;
  const auto counted = sums();  // takes the broker's lock, and who has that may wait for the gate
  // Together: no message goes on a new road under the name that the old one refused.
  gate_->change([&] {
    const bool anew = take();
    if (!key_ids.empty()) aside = outbox_->belong_to(std::move(key_ids), counted);
    name_asker();
    if (!line_->use(std::move(ways), settings.rest, settings.longest_rest, why_none, anew)) return;
    const std::lock_guard lock(mutex_);
    begin_anew();
  });
  if (is_news && !derived.trouble().empty()) host_.log(true, derived.trouble());
  if (aside > 0) host_.log(true, cat("another KSN is set: what waits for the one before is put aside until this one has taken something, and thrown away then (statistics and files: ", std::to_string(aside), ")"));
  broker_->use(trust, cache, settings.batch, settings.request_timeout);
  if (!trust) broker_->clear(why_none);
  if (went_off) fall_silent("KSN was switched off");
  refresh();
}

void Client::refresh() {
  {
    // One after the other: what was true before must not be put in force last.
    const std::lock_guard refreshing(refreshing_);
    Checker::Policy policy;
    Outbox::Limits limits;
    std::unique_lock lock(mutex_);
    const bool on = situation_.is_on();
    policy.local = local_;
    if (on && situation_.why_nobody().empty()) policy.cache = cache_;  // switched off, KSN's word counts no more, nor where it might be overruled
    if (provider_) policy.ksn = provider_->name;
    policy.private_ksn = situation_.private_ksn;
    policy.file_prefix = settings_.file_prefix_bytes;
    policy.address_prefix = settings_.address_prefix_bytes;
    policy.software_prefix = settings_.software_prefix_bytes;
    limits.extended = on && settings_.extended;
    limits.period = settings_.statistics;
    limits.kinds = settings_.content_kinds;
    limits.most_bytes = settings_.content_bytes;
    limits.most_bytes_per_day = settings_.content_bytes_per_day;
    limits.local = local_;
    const bool is_known = situation_.unread.empty() && outbox_->is_read();
    wake_ = true;
    lock.unlock();
    checker_->use(std::move(policy));
    if (is_known) outbox_->use(std::move(limits), sums(), host_.now());  // else what waits stays, and waits
  }
  tick_.notify_all();
  host_.changed();
}

}  // namespace ksn_client
