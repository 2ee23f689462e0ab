// The log. One object, made by the composition root and passed by reference; a part is a cheap value named after who writes.
//   const auto log = the_log.part("update");
//   log.info("fetched ", name, ", ", bytes, " bytes");   // nothing is put together when the level is off
// What is written is redacted (log_text.hpp) and one line, whoever wrote it: a plugin, a child's standard error, an error's text.
// All calls any-thread. Target picket_log; spdlog stays in the .cpp.
#pragma once

#include <atomic>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "runtime/log_text.hpp"

namespace picket::runtime {

enum class Level : std::uint8_t { debug, info, warning, error, off };
[[nodiscard]] std::string_view to_string(Level level);

struct LogOptions {
  std::string levels = "info";        // "info,policy=debug": for all, then per part ("plugin" is also for "plugin.org.x")
  bool json = false;                  // one object a line: time, level, part, text
  std::filesystem::path file;         // rotated; empty: the journal under systemd, else standard error
  std::uint64_t rotate_at = 10u << 20;
  unsigned keep = 5;                  // rotated files
  std::function<void(Level, std::string_view line)> sink;  // instead of all that: for tests
};

class LogPart {
 public:
  [[nodiscard]] bool wants(Level level) const { return level >= state_->threshold.load(std::memory_order_relaxed); }

  template <class... Parts>
  void debug(const Parts&... parts) const { put(Level::debug, parts...); }
  template <class... Parts>
  void info(const Parts&... parts) const { put(Level::info, parts...); }
  template <class... Parts>
  void warning(const Parts&... parts) const { put(Level::warning, parts...); }
  template <class... Parts>
  void error(const Parts&... parts) const { put(Level::error, parts...); }
  template <class... Parts>
  void put(Level level, const Parts&... parts) const {
    if (!wants(level)) return;
    std::string text;
    (append(text, parts), ...);
    write(level, text);
  }

 private:
  friend class Log;
  class Core;
  struct State {
    Core* core = nullptr;
    std::string name;
    std::atomic<Level> threshold{Level::info};
  };
  explicit LogPart(const State* state) : state_(state) {}

  static void append(std::string& out, std::string_view text) { out += text; }
  template <std::integral Number>
    requires(!std::same_as<Number, bool> && !std::same_as<Number, char>)
  static void append(std::string& out, Number number) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  }
  void write(Level level, std::string_view text) const;

  const State* state_;
};

class Log {
 public:
  // Code::invalid: a level that is not known, with its part. Otherwise: the file cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<Log>> open(LogOptions options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Lives as long as the log. A name is taken once, so parts of one name share their level.
  [[nodiscard]] LogPart part(std::string_view name);
  [[nodiscard]] Result<> set_levels(std::string_view levels);
  // Parts that a level was set for and that nobody has taken, nor one below them.
  [[nodiscard]] std::vector<std::string> silent_parts() const;
  // Code::invalid: as open() would say.
  [[nodiscard]] static Result<> check_levels(std::string_view levels);
  // Lines that could not be written (full disk); each such time is said on standard error once.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  explicit Log(std::unique_ptr<LogPart::Core> core);
  std::unique_ptr<LogPart::Core> core_;
};

}  // namespace picket::runtime
