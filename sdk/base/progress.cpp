#include "base/progress.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/result.hpp"

namespace picket {

Progress::Style Progress::style_for(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term && std::string_view(term) != "dumb" ? Style::bar : Style::lines;
}

Progress::Progress(std::string label, std::uint64_t total, Style style, int fd, std::chrono::milliseconds pause)
    : label_(std::move(label)), total_(total), style_(style), fd_(fd), pause_(pause) {}

Progress::~Progress() {
  if (style_ == Style::bar && drawn_ && !finished_) write("\r\x1b[K");
}

void Progress::write(const std::string& text) const {
  // Progress is a courtesy: a closed stderr must not stop the work.
  [[maybe_unused]] const auto put = ::write(fd_, text.data(), text.size());
}

void Progress::update(std::uint64_t done) {
  done_ = done;
  if (style_ == Style::off) return;
  if (style_ == Style::lines) {
    if (total_ == 0) return;
    const int tenth = static_cast<int>(10.0 * static_cast<double>(std::min(done_, total_)) / static_cast<double>(total_));
    if (tenth <= last_tenth_ || tenth >= 10) return;  // 100 % is finish()'s line
    const auto now = std::chrono::steady_clock::now();
    if (now - last_drawn_ < pause_) return;
    last_drawn_ = now;
    last_tenth_ = tenth;
    drawn_ = true;
    write(cat(label_, ": ", std::to_string(10 * tenth), "% of ", human_bytes(total_), "\n"));
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - last_drawn_ < std::chrono::milliseconds(100)) return;
  last_drawn_ = now;
  draw();
}

void Progress::finish() {
  if (finished_ || style_ == Style::off) return;
  finished_ = true;
  if (style_ == Style::lines) {
    if (drawn_) write(cat(label_, ": done, ", human_bytes(done_), "\n"));
    return;
  }
  draw();
  write("\n");
}

void Progress::draw() {
  drawn_ = true;
  if (total_ > 0) total_ = std::max(total_, done_);  // a total is what the caller expected
  winsize window{};
  const std::size_t width = ::ioctl(fd_, TIOCGWINSZ, &window) == 0 && window.ws_col > 20 ? window.ws_col : 80;
  std::string right;
  std::size_t percent = 0;
  if (total_ > 0) {
    percent = static_cast<std::size_t>(100.0 * static_cast<double>(std::min(done_, total_)) / static_cast<double>(total_));
    char text[16];
    std::snprintf(text, sizeof text, " %3zu%% ", percent);
    right = text;
  }
  right += human_bytes(done_);
  if (total_ > 0) right += cat(" of ", human_bytes(total_));
  const auto label = label_.size() + right.size() + 15 > width ? label_.substr(0, width > right.size() + 15 ? width - right.size() - 15 : 0) : label_;
  std::string line = cat("\r", label, " ");
  if (total_ > 0 && width > label.size() + right.size() + 6) {
    const auto cells = std::min<std::size_t>(40, width - label.size() - right.size() - 5);
    const auto filled = cells * percent / 100;
    line += cat("[", std::string(filled, '#'), std::string(cells - filled, '.'), "]");
  }
  write(cat(line, right, "\x1b[K"));
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::string_view units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return cat(std::to_string(bytes), " B");
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f " : "%.0f ", value);
  return cat(text, units[unit]);
}

}  // namespace picket
