// What an object is asked by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "base/result.hpp"
#include "key.hpp"
#include "picket/ksn/v1/check.pb.h"

namespace ksn_client {

namespace v1 = picket::ksn::v1;

// Most exact first: the first key of which something is known decides. Names say for people what a key stands for.
struct Asked {
  v1::ObjectKind kind = v1::OBJECT_KIND_UNSPECIFIED;
  boost::container::small_vector<Key, 2> keys;  // of a file one, of software two: nothing to allocate
  std::vector<std::string> names;  // of addresses only: the expressions
};
[[nodiscard]] picket::Result<Asked> asked_of(const v1::Object& object);

[[nodiscard]] std::string sha256(std::string_view bytes);  // 32 bytes

}  // namespace ksn_client
