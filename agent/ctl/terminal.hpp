// Where output goes. Colour only on a terminal, never with NO_COLOR (no-color.org) or --no-color.
#pragma once

#include <string>
#include <string_view>

namespace picket::ctl {

enum class Style { plain, good, warning, bad, strong, faint };

class Terminal {
 public:
  // Borrows the descriptors.
  Terminal(int out_fd, int err_fd);

  void no_color() { colored_ = false; }
  [[nodiscard]] int err_fd() const { return err_; }

  void out(std::string_view text);
  void err(std::string_view text);
  [[nodiscard]] bool failed() const { return failed_; }  // standard output could not take it
  [[nodiscard]] bool is_closed() const;                  // a pipe that nobody reads any more: found out without writing

  // With the codes around it, if coloured.
  [[nodiscard]] std::string styled(Style style, std::string_view text) const;

 private:
  int out_, err_;
  bool colored_ = false, failed_ = false;
};

}  // namespace picket::ctl
