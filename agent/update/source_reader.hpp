// Reads files from one source through its plugin. What arrives is counted and timed here; whether to believe it is the caller's to check.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/caller.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "trust/client.hpp"
#include "update/settings.hpp"

namespace picket::update {

struct ReadLimits {
  std::chrono::milliseconds connect_timeout{10'000}, stall_timeout{30'000};
  std::uint32_t min_bytes_per_second = 1;
  std::string told{};   // to web servers, as User-Agent; empty: nothing
};

// What the entry says for itself, else what the settings say for all.
[[nodiscard]] ReadLimits limits_of(const Settings& settings, const SourceEntry& source, std::string told = {});

class SourceReader : public trust::Fetcher {
 public:
  SourceReader(bus::Caller& caller, const core::Clock& clock, SourceEntry source, ReadLimits limits, core::CancelToken cancel);

  // Another one of the same source, for another thread. They know of each other: one that its plugin serves later, since it serves
  // one file at a time, waits as long as bytes come to another.
  [[nodiscard]] std::unique_ptr<SourceReader> another() const;

  struct Got {
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;   // where the source began: less than asked when it cannot resume
    std::uint64_t size = 0;     // of the whole file there; 0: not known
    std::string from;
  };
  using Sink = std::function<Result<>(std::string_view)>;
  // The file's bytes from `offset`, at most max_bytes, into the sink in order. An error of the sink ends it and is returned.
  // Code::too_large when the source sends more than it was asked for, Code::timeout when it stalls or is too slow.
  [[nodiscard]] Result<Got> read(std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink);

  [[nodiscard]] Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override;

  [[nodiscard]] const SourceEntry& source() const { return source_; }
  [[nodiscard]] std::uint64_t bytes_received() const { return received_; }
  // Of the last read that failed: how long the source wants to be left alone, if it said so; 0: asking again costs nothing.
  [[nodiscard]] std::optional<std::chrono::seconds> wish() const { return wish_; }
  // Called with what else a file took (another resolver, a mirror passed over): for `explain`. Empty: nobody wants to know.
  std::function<void(std::string_view file, std::string_view what)> on_note;
  // Called after each metadata file: for `explain`. Empty: nobody wants to know.
  std::function<void(std::string_view file, std::string_view what)> on_metadata;

 private:
  bus::Caller& caller_;
  const core::Clock& clock_;
  SourceEntry source_;
  ReadLimits limits_;
  core::CancelToken cancel_;
  std::uint64_t received_ = 0;
  std::optional<std::chrono::seconds> wish_;
  std::shared_ptr<std::atomic<std::uint64_t>> arrivals_ = std::make_shared<std::atomic<std::uint64_t>>(0);  // chunks, to any of them
};

// "yara-rules/full/HASH.12.tar.zst" with each part percent-encoded, below "targets/".
[[nodiscard]] std::string target_url_path(std::string_view target_path);

}  // namespace picket::update
