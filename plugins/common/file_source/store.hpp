// Where a source's files are, as a job sees it. Calls may wait for as long as the kernel or a server likes: own threads only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "file_source/failure.hpp"
#include "picket/source/v1/source.pb.h"

namespace file_source {

class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fewer than asked for: only at the end of the file.
  [[nodiscard]] virtual Outcome<std::size_t> read(std::uint64_t offset, char* into, std::size_t count) = 0;
  [[nodiscard]] virtual const std::string& name() const = 0;  // where it is, for `explain`; no secrets
};

struct Wait {
  std::uint32_t connect_ms = 0, stall_ms = 0;  // 0: the store's own
};

class Store {
 public:
  virtual ~Store() = default;
  // Pure text, on the plugin's thread: what is wrong with location or options.
  [[nodiscard]] virtual Outcome<> check(const picket::source::v1::Source& source) const = 0;
  // Requests of one lane share threads, and wait for each other only.
  [[nodiscard]] virtual std::string lane(const picket::source::v1::Source& source) const { return source.location(); }
  // UNAVAILABLE: it is not there now. NOT_FOUND: it is there but holds no repository.
  [[nodiscard]] virtual Outcome<> probe(const picket::source::v1::Source& source) = 0;
  // UNAVAILABLE: it is not there. NOT_FOUND: it is, the file is not. DENIED: no permission, or a link that leads out of it.
  [[nodiscard]] virtual Outcome<std::unique_ptr<File>> open(const picket::source::v1::Source& source, const std::vector<std::string>& parts, Wait wait) = 0;
};

// Absolute folders and file:// URLs. Knows no option.
[[nodiscard]] std::unique_ptr<Store> local_store();

}  // namespace file_source
