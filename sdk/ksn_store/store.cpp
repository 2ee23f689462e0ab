#include "ksn_store/store.hpp"

#include "ksn_store/redis_store.hpp"

namespace picket::ksn_store {

Row row_of(std::string digest, const Entry& entry) {
  return {std::move(digest), texts_of(entry), entry.popularity, entry.first_seen, static_cast<std::uint8_t>(entry.verdict)};
}

Result<std::unique_ptr<Store>> open_store(const std::string& where, bool create) {
  constexpr std::string_view redis = "redis:";
  if (where.starts_with(redis)) return open_redis_store(std::string_view(where).substr(redis.size()));
  return open_lmdb_store(where, create);
}

}  // namespace picket::ksn_store
