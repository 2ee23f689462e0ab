// A store in a Redis or Valkey cluster. Objects lie in hashes "o<kind>" + the first 4 bytes of the digest, field: the other 28: a prefix question
// is then one hash of one node.
#pragma once

#include <memory>
#include <string_view>

#include "ksn_store/store.hpp"

namespace picket::ksn_store {

// "HOST:PORT,HOST:PORT", then as wanted: ";auth=FILE" (a file with the password), ";user=NAME", ";tls" (authorities of the system) or ";tls=FILE" (of
// this PEM file), ";certificate=FILE;key=FILE" (what this side shows). Nothing is asked of the cluster yet.
[[nodiscard]] Result<std::unique_ptr<Store>> open_redis_store(std::string_view where);

}  // namespace picket::ksn_store
