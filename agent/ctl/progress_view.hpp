// Progress of an update or a scan: a bar on a terminal, plain lines otherwise, nothing with --json.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/progress.hpp"
#include "ctl/terminal.hpp"
#include "picket/update/v1/update.pb.h"

namespace picket::ctl {

class ProgressView {
 public:
  ProgressView(Terminal& terminal, bool quiet);
  void show(const update::v1::Progress& progress);
  // An amount without an end, e.g. of a scan. Only drawn on a terminal.
  void amount(const std::string& label, std::uint64_t bytes);
  // A line that is not progress: the bar makes way.
  void interrupt() {
    bar_.reset();
    going_.clear();
  }

 private:
  // Several components come at the same time: one bar for all that is on its way, or lines for each.
  struct Going {
    std::string step;
    std::uint64_t done = 0, total = 0;
    std::optional<Progress> lines;
  };
  void show_amount(const update::v1::Progress& progress);
  void draw_bar();

  Terminal& terminal_;
  const Progress::Style style_;
  std::map<std::string, Going> going_;  // by component
  std::optional<Progress> bar_;
  std::string bar_label_, last_line_;
};

}  // namespace picket::ctl
