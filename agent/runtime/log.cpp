#include "runtime/log.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"
#include "runtime/journal.hpp"

namespace picket::runtime {

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
    case Level::off: return "off";
  }
  return "unknown";
}

namespace {

Result<Level> parse_level(std::string_view text) {
  for (const auto level : {Level::debug, Level::info, Level::warning, Level::error, Level::off})
    if (text == to_string(level)) return level;
  return fail(Code::invalid, cat("log level '", text.substr(0, 64), "' is not debug, info, warning, error or off"));
}

struct Levels {
  Level all = Level::info;
  std::map<std::string, Level, std::less<>> parts;

  static Result<Levels> parse(std::string_view text) {
    Levels out;
    while (!text.empty()) {
      const auto one = text.substr(0, text.find(','));
      text.remove_prefix(std::min(one.size() + 1, text.size()));
      const auto equals = one.find('=');
      PICKET_LET(level, parse_level(equals == one.npos ? one : one.substr(equals + 1)));
      if (equals == one.npos) out.all = level;
      else if (equals == 0) return fail(Code::invalid, cat("log level '", one.substr(0, 64), "' names no part"));
      else out.parts[std::string(one.substr(0, equals))] = level;
    }
    return out;
  }

  // "plugin.org.x", then "plugin.org", then "plugin", then all.
  Level of(std::string_view part) const {
    for (;;) {
      if (const auto found = parts.find(part); found != parts.end()) return found->second;
      const auto dot = part.rfind('.');
      if (dot == part.npos) return all;
      part = part.substr(0, dot);
    }
  }
};

std::string time_now() {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const auto seconds = system_clock::to_time_t(now);
  const auto ms = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[40];
  const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(ms));
  return text;
}

// `text` is printable(): only quotes and backslashes are left to escape.
void append_json(std::string& out, std::string_view name, std::string_view text) {
  out += cat(out.size() > 1 ? ",\"" : "\"", name, "\":\"");
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return cat(std::to_string(info.st_dev), ":", std::to_string(info.st_ino)) == stream;
}

class LogPart::Core {
 public:
  Core(LogOptions options, Levels levels) : options_(std::move(options)), levels_(std::move(levels)) {}

  Result<> open() {
    if (options_.sink) return {};
    if (options_.file.empty()) {
      journal_ = stderr_is_journal();
      return {};
    }
    if (const auto folder = options_.file.parent_path(); !folder.empty()) PICKET_TRY(make_folders(folder, 0750));
    try {
      file_ = std::make_unique<spdlog::sinks::rotating_file_sink_st>(options_.file.native(), options_.rotate_at, options_.keep);
      file_->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, "\n"));
    } catch (const std::exception& error) {
      return fail(Code::io, cat("log file: ", error.what()));
    }
    return {};
  }

  const State* part(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = parts_.try_emplace(std::string(name));
    if (is_new) {
      place->second.core = this;
      place->second.name = name;
      place->second.threshold = levels_.of(name);
    }
    return &place->second;
  }

  void set_levels(Levels levels) {
    const std::lock_guard lock(mutex_);
    levels_ = std::move(levels);
    for (auto& [name, state] : parts_) state.threshold = levels_.of(name);
  }

  std::vector<std::string> silent_parts() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, level] : levels_.parts) {
      const auto below = parts_.lower_bound(name + '.');
      if (!parts_.contains(name) && (below == parts_.end() || !below->first.starts_with(name + '.'))) out.push_back(name);
    }
    return out;
  }

  void write(const State& part, Level level, std::string_view text) {
    const auto line = line_of(part, level, printable(redact(text)));
    const std::lock_guard lock(mutex_);
    if (options_.sink) return options_.sink(level, line);
    if (file_ == nullptr) {
      if (!write_all(STDERR_FILENO, line + "\n")) ++lost_;
      return;
    }
    try {
      file_->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog::level::info, line));
      file_->flush();
      failing_ = false;
    } catch (const std::exception& error) {
      ++lost_;
      if (!std::exchange(failing_, true)) std::fprintf(stderr, "log: %s\n", error.what());
    }
  }

  std::uint64_t lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  std::string line_of(const State& part, Level level, const std::string& text) const {
    std::string out;
    if (journal_) {  // sd-daemon(3): the journal reads the level from the prefix and knows the time
      constexpr std::string_view syslog[] = {"<7>", "<6>", "<4>", "<3>"};
      out = syslog[static_cast<std::size_t>(level)];
    }
    if (options_.json) {
      std::string object = "{";
      append_json(object, "time", time_now());
      append_json(object, "level", to_string(level));
      append_json(object, "part", part.name);
      append_json(object, "text", text);
      return out + object + "}";
    }
    constexpr std::string_view padded[] = {"debug  ", "info   ", "warning", "error  "};
    if (!journal_) out += cat(time_now(), " ", padded[static_cast<std::size_t>(level)], " ");
    return out + cat(part.name, ": ", text);
  }

  const LogOptions options_;
  mutable std::mutex mutex_;
  Levels levels_;
  std::map<std::string, State, std::less<>> parts_;  // a map: states stay where they are
  std::unique_ptr<spdlog::sinks::rotating_file_sink_st> file_;
  std::uint64_t lost_ = 0;
  bool failing_ = false;
  bool journal_ = false;
};

void LogPart::write(Level level, std::string_view text) const {
  if (level < Level::off) state_->core->write(*state_, level, text);
}

Log::Log(std::unique_ptr<LogPart::Core> core) : core_(std::move(core)) {}
Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::open(LogOptions options) {
  PICKET_LET(levels, Levels::parse(options.levels));
  auto core = std::make_unique<LogPart::Core>(std::move(options), std::move(levels));
  PICKET_TRY(core->open());
  return std::unique_ptr<Log>(new Log(std::move(core)));
}

LogPart Log::part(std::string_view name) { return LogPart(core_->part(name)); }

Result<> Log::check_levels(std::string_view levels) {
  PICKET_LET(parsed, Levels::parse(levels));
  (void)parsed;
  return {};
}

Result<> Log::set_levels(std::string_view levels) {
  PICKET_LET(parsed, Levels::parse(levels));
  core_->set_levels(std::move(parsed));
  return {};
}

std::vector<std::string> Log::silent_parts() const { return core_->silent_parts(); }

std::uint64_t Log::lost() const { return core_->lost(); }

}  // namespace picket::runtime
