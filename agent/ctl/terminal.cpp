#include "ctl/terminal.hpp"

#include <cstdlib>

#include <poll.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::ctl {

Terminal::Terminal(int out_fd, int err_fd) : out_(out_fd), err_(err_fd) {
  const char* no = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string_view(term) == "dumb";
  colored_ = ::isatty(out_) == 1 && !dumb && (no == nullptr || *no == '\0');
}

void Terminal::out(std::string_view text) {
  if (!write_all(out_, text)) failed_ = true;
}

bool Terminal::is_closed() const {
  pollfd state{out_, 0, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

void Terminal::err(std::string_view text) { (void)write_all(err_, text); }

std::string Terminal::styled(Style style, std::string_view text) const {
  if (!colored_ || style == Style::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (style) {
    case Style::good: code = "\x1b[32m"; break;
    case Style::warning: code = "\x1b[33m"; break;
    case Style::bad: code = "\x1b[31m"; break;
    case Style::strong: code = "\x1b[1m"; break;
    case Style::faint: code = "\x1b[2m"; break;
    case Style::plain: break;
  }
  return cat(code, text, "\x1b[0m");
}

}  // namespace picket::ctl
