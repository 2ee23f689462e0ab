// A progress bar on a terminal, plain lines (a tenth each, at most one a second) elsewhere. Not for several threads at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace picket {

class Progress {
 public:
  enum class Style { bar, lines, off };
  // A bar when `fd` is a terminal (and TERM is not "dumb"), else lines.
  [[nodiscard]] static Style style_for(int fd);

  // `total` 0: not known; only the amount is shown. Writes to `fd` (stderr unless told), ignoring write errors.
  // `pause` is the least time between two lines: short work prints none.
  Progress(std::string label, std::uint64_t total, Style style, int fd = 2, std::chrono::milliseconds pause = std::chrono::seconds(1));
  explicit Progress(std::string label, std::uint64_t total = 0) : Progress(std::move(label), total, style_for(2)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // clears a bar that was not finished

  void set_total(std::uint64_t total) { total_ = total; }
  void update(std::uint64_t done);  // bytes so far; drawn at most ten times a second
  void add(std::uint64_t more) { update(done_ + more); }
  void finish();                    // the last state, and a new line
  [[nodiscard]] bool is_drawn() const { return drawn_; }

 private:
  void draw();
  void write(const std::string& text) const;

  std::string label_;
  std::uint64_t total_, done_ = 0;
  Style style_;
  int fd_;
  std::chrono::milliseconds pause_;
  int last_tenth_ = 0;
  bool drawn_ = false, finished_ = false;
  std::chrono::steady_clock::time_point last_drawn_ = std::chrono::steady_clock::now();
};

// "1.4 MB": decimal units, as on the wire.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

}  // namespace picket
