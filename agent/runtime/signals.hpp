// Signals as callbacks on the I/O loop instead of handlers.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/result.hpp"

namespace picket::runtime {

class IoLoop;

// First thing in main(), before any thread exists: these signals then wait for a Signals. Also ignores SIGPIPE.
void block_signals(const std::vector<int>& numbers);

class Signals {
 public:
  // Any thread but the loop's. The callback runs on the loop's thread.
  [[nodiscard]] static Result<std::unique_ptr<Signals>> make(IoLoop& loop, const std::vector<int>& numbers, std::function<void(int)> callback);
  virtual ~Signals() = default;
};

}  // namespace picket::runtime
