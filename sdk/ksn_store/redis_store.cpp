#include "ksn_store/redis_store.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>

#include "base/files.hpp"
#include "ksn/limits.hpp"
#include "ksn_store/redis_cluster.hpp"

namespace picket::ksn_store {
namespace {

constexpr std::chrono::milliseconds kReadTime{1500}, kWriteTime{10'000};
constexpr std::size_t kRowsInFlight = 2000, kKeyBytes = ksn::kLeastPrefixBytes;

std::string object_key(int kind, std::string_view digest) { return cat("o", std::to_string(kind), digest.substr(0, kKeyBytes)); }

class RedisStore final : public Store {
 public:
  RedisStore(std::vector<std::string> seeds, RedisAccess access, std::string name) : seeds_(std::move(seeds)), access_(std::move(access)), name_(std::move(name)) {}

  Result<> look_up(int kind, std::string_view digests, Batch& out) override {
    std::vector<RedisCommand> commands;
    for (; digests.size() >= ksn::kDigestBytes; digests.remove_prefix(ksn::kDigestBytes))
      commands.push_back({{"HGET", object_key(kind, digests), std::string(digests.substr(kKeyBytes, ksn::kDigestBytes - kKeyBytes))}});
    PICKET_LET(replies, run(commands, kReadTime));
    for (const auto& reply : replies) {
      Batch::One one;
      if (!reply.nil) {
        if (reply.text.size() < 2) return fail(Code::unavailable, "Redis: a damaged entry");
        one.begin = static_cast<std::uint32_t>(out.bytes.size());
        one.size = static_cast<std::uint32_t>(reply.text.size());
        one.verdict = static_cast<std::uint8_t>(reply.text[1]);  // the first field of its facts
        out.bytes += reply.text;
      }
      out.of.push_back(one);
    }
    return {};
  }

  Result<std::vector<Under>> under(int kind, std::string_view prefix, std::size_t most) override {
    const RedisCommand command{{"HGETALL", object_key(kind, prefix)}};
    PICKET_LET(replies, run({&command, 1}, kReadTime));
    const auto& list = replies[0].list;
    std::vector<Under> out;
    for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
      auto digest = cat(prefix.substr(0, kKeyBytes), list[i]);
      if (!digest.starts_with(prefix)) continue;
      if (digest.size() != ksn::kDigestBytes || list[i + 1].size() < 2) return fail(Code::unavailable, "Redis: a damaged entry");
      if (out.size() == most) return fail(Code::too_large, cat("more than ", std::to_string(most), " objects under a prefix of ", std::to_string(prefix.size()), " bytes"));
      out.push_back({std::move(digest), list[i + 1], static_cast<std::uint8_t>(list[i + 1][1])});
    }
    std::sort(out.begin(), out.end(), [](const Under& a, const Under& b) { return a.digest < b.digest; });
    return out;
  }

  Result<> put(int kind, std::span<Row> rows) override {
    std::vector<RedisCommand> commands;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::string facts;
      append_facts(rows[i].verdict, rows[i].facts_texts, rows[i].popularity, rows[i].first_seen, facts);
      commands.push_back({{"HSET", object_key(kind, rows[i].digest), rows[i].digest.substr(kKeyBytes), std::move(facts)}});
      if (commands.size() < kRowsInFlight && i + 1 < rows.size()) continue;
      PICKET_TRY(run(commands, kWriteTime));
      commands.clear();
    }
    return {};
  }

  Result<std::uint64_t> remove(int kind, std::span<const std::string> digests) override {
    std::vector<RedisCommand> commands;
    for (const auto& digest : digests) commands.push_back({{"HDEL", object_key(kind, digest), digest.substr(kKeyBytes)}});
    PICKET_LET(replies, run(commands, kWriteTime));
    std::uint64_t removed = 0;
    for (const auto& reply : replies) removed += static_cast<std::uint64_t>(reply.number);
    return removed;
  }

  Result<std::optional<Licence>> licence(std::string_view id) override {
    if (id.empty() || id.size() > ksn::kMostTextBytes) return std::nullopt;
    const RedisCommand command{{"HMGET", cat("licence:", id), "state", "expires", "holder"}};
    PICKET_LET(replies, run({&command, 1}, kReadTime));
    const auto& list = replies[0].list;
    if (list.size() != 3 || list[0].empty()) return std::nullopt;
    Licence out;
    out.id = id;
    out.blocked = list[0] != "known";
    std::from_chars(list[1].data(), list[1].data() + list[1].size(), out.expires);
    out.holder = list[2];
    return out;
  }

  Result<std::vector<Licence>> licences() override {
    const RedisCommand command{{"SMEMBERS", "licences"}};
    PICKET_LET(replies, run({&command, 1}, kReadTime));
    std::vector<Licence> out;
    for (const auto& id : replies[0].list) {
      PICKET_LET(one, licence(id));
      if (one) out.push_back(*one);
    }
    std::sort(out.begin(), out.end(), [](const Licence& a, const Licence& b) { return a.id < b.id; });
    return out;
  }

  Result<> put_licence(const Licence& licence) override {
    const RedisCommand commands[] = {{{"HSET", cat("licence:", licence.id), "state", licence.blocked ? "blocked" : "known", "expires", std::to_string(licence.expires), "holder", licence.holder}},
                                     {{"SADD", "licences", licence.id}}};
    PICKET_TRY(run(commands, kWriteTime));
    return {};
  }

  Result<bool> count(const Counted& counted) override {
    const RedisCommand seen{{"SET", cat("seen:", counted.id), "1", "NX", "EX", std::to_string(8 * 86400)}};
    PICKET_LET(replies, run({&seen, 1}, kReadTime));
    if (replies[0].nil) return false;
    std::vector<RedisCommand> commands{{{"SADD", "statistics", counted.day}}};
    for (const auto& [name, number] : counted.counters)
      commands.push_back({{"HINCRBY", cat("statistics:", counted.day), name, std::to_string(std::min<std::uint64_t>(number, std::uint64_t{1} << 62))}});
    commands.push_back({{"EXPIRE", cat("statistics:", counted.day), std::to_string(kYearsOfSums * 366 * 86400)}});
    PICKET_TRY(run(commands, kReadTime));
    return true;
  }

  Result<std::map<std::string, std::map<std::string, std::uint64_t>>> counted() override {
    const RedisCommand days{{"SMEMBERS", "statistics"}};
    PICKET_LET(known, run({&days, 1}, kReadTime));
    std::map<std::string, std::map<std::string, std::uint64_t>> out;
    for (const auto& day : known[0].list) {
      const RedisCommand all{{"HGETALL", cat("statistics:", day)}};
      PICKET_LET(replies, run({&all, 1}, kReadTime));
      const auto& list = replies[0].list;
      for (std::size_t i = 0; i + 1 < list.size(); i += 2) std::from_chars(list[i + 1].data(), list[i + 1].data() + list[i + 1].size(), out[day][list[i]]);
    }
    return out;
  }

  Result<std::optional<std::uint64_t>> objects(int) override { return std::nullopt; }
  Result<> check() override { return {}; }  // every question finds out for itself, and tries again
  std::string name() const override { return name_; }

 private:
  // Questions of several threads go by connections of their own.
  Result<std::vector<RedisReply>> run(std::span<const RedisCommand> commands, std::chrono::milliseconds deadline) {
    std::unique_ptr<RedisCluster> cluster;
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) cluster = std::move(idle_.back()), idle_.pop_back();
    }
    if (!cluster) cluster = std::make_unique<RedisCluster>(seeds_, access_);
    auto out = cluster->run(commands, deadline);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(cluster));
    return out;
  }

  std::vector<std::string> seeds_;
  const RedisAccess access_;
  std::string name_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<RedisCluster>> idle_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_redis_store(std::string_view where) {
  std::vector<std::string_view> options;
  for (auto semicolon = where.rfind(';'); semicolon != where.npos; semicolon = where.rfind(';')) {
    options.push_back(where.substr(semicolon + 1));
    where = where.substr(0, semicolon);
  }
  RedisAccess access;
  bool tls = false;
  std::string authority, certificate, key;
  for (const auto option : options) {
    const auto name = option.substr(0, option.find('='));
    const std::string value(option.substr(std::min(option.size(), name.size() + 1)));
    if (name == "auth") {
      PICKET_LET(text, read_file(value, 4096));
      access.password = text.substr(0, text.find_last_not_of("\r\n") + 1);
    } else if (name == "user") {
      access.user = value;
    } else if (name == "tls") {
      tls = true;
      authority = value;
    } else if (name == "certificate") {
      certificate = value;
    } else if (name == "key") {
      key = value;
    } else {
      return fail(Code::invalid, cat("store redis: '", option, "' is none of auth=FILE, user=NAME, tls, tls=FILE, certificate=FILE, key=FILE"));
    }
  }
  if (!access.user.empty() && access.password.empty()) return fail(Code::invalid, "store redis: a user needs a password: auth=FILE");
  if (!tls && !(certificate.empty() && key.empty())) return fail(Code::invalid, "store redis: a certificate needs tls");
  if (tls) {
    PICKET_LET(context, make_redis_tls(authority, certificate, key));
    access.tls = std::move(context);
  }
  std::vector<std::string> seeds;
  for (std::string_view rest = where; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    if (comma != 0) seeds.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(rest.size(), comma + 1));
  }
  if (seeds.empty()) return fail(Code::invalid, "store redis: names no node: redis:HOST:PORT,HOST:PORT");
  for (const auto& seed : seeds)
    if (!is_redis_node(seed)) return fail(Code::invalid, cat("store redis: '", seed, "' is not HOST:PORT"));
  return std::make_unique<RedisStore>(std::move(seeds), std::move(access), cat("Redis cluster ", where, tls ? " (TLS)" : ""));
}

}  // namespace picket::ksn_store
