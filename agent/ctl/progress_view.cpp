#include "ctl/progress_view.hpp"

#include "base/result.hpp"
#include "runtime/log_text.hpp"

namespace picket::ctl {

ProgressView::ProgressView(Terminal& terminal, bool quiet)
    : terminal_(terminal), style_(quiet ? Progress::Style::off : Progress::style_for(terminal.err_fd())) {}

void ProgressView::show(const update::v1::Progress& progress) {
  if (style_ == Progress::Style::off) return;
  if (progress.total() > 0) {
    const auto label = runtime::printable(cat(progress.step(), progress.component().empty() ? "" : " ", progress.component()));
    if (!bar_ || bar_label_ != label) {
      bar_.emplace(label, progress.total(), style_, terminal_.err_fd());
      bar_label_ = label;
      // Short work draws no tenths: say at least what it is.
      if (style_ == Progress::Style::lines) terminal_.err(cat(label, ": ", human_bytes(progress.total()), "\n"));
    }
    bar_->set_total(progress.total());
    bar_->update(progress.done());
    if (progress.done() < progress.total()) return;
    bar_->finish();
    bar_.reset();
    return;
  }
  bar_.reset();
  const auto line = runtime::printable(cat(progress.step(), progress.component().empty() ? "" : " ", progress.component(), progress.text().empty() ? "" : ": ", progress.text()));
  if (line == last_line_) return;
  last_line_ = line;
  terminal_.err(line + "\n");
}

void ProgressView::amount(const std::string& label, std::uint64_t bytes) {
  if (style_ != Progress::Style::bar) return;
  if (!bar_) bar_.emplace(label, 0, style_, terminal_.err_fd());
  bar_->update(bytes);
}

}  // namespace picket::ctl
