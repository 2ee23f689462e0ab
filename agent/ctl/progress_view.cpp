#include "ctl/progress_view.hpp"

#include "base/result.hpp"
#include "runtime/log_text.hpp"

namespace picket::ctl {

ProgressView::ProgressView(Terminal& terminal, bool quiet)
    : terminal_(terminal), style_(quiet ? Progress::Style::off : Progress::style_for(terminal.err_fd())) {}

void ProgressView::show(const update::v1::Progress& progress) {
  if (style_ == Progress::Style::off) return;
  if (progress.total() > 0) return show_amount(progress);
  if (progress.component().empty()) going_.clear();
  else going_.erase(progress.component());
  bar_.reset();
  const auto line = runtime::printable(cat(progress.step(), progress.component().empty() ? "" : " ", progress.component(), progress.text().empty() ? "" : ": ", progress.text()));
  if (line == last_line_) return;
  last_line_ = line;
  terminal_.err(line + "\n");
}

void ProgressView::show_amount(const update::v1::Progress& progress) {
  const auto label = runtime::printable(cat(progress.step(), progress.component().empty() ? "" : " ", progress.component()));
  auto& going = going_[progress.component()];
  const bool lines = style_ == Progress::Style::lines;
  if (going.step != progress.step()) {
    going.step = progress.step();
    // Short work draws no tenths: say at least what it is.
    if (lines) {
      going.lines.emplace(label, progress.total(), style_, terminal_.err_fd());
      terminal_.err(cat(label, ": ", human_bytes(progress.total()), "\n"));
    }
  }
  going.done = progress.done();
  going.total = progress.total();
  if (lines) {
    going.lines->set_total(going.total);
    going.lines->update(going.done);
    if (going.done < going.total) return;
    going.lines->finish();
    going_.erase(progress.component());
    return;
  }
  if (going.done < going.total) return draw_bar();
  if (going_.size() > 1) bar_.reset();  // makes way for the line of the one that is done
  if (!bar_ || bar_label_ != label) bar_.emplace(label, going.total, style_, terminal_.err_fd());
  bar_->update(going.done);
  bar_->finish();
  bar_.reset();
  going_.erase(progress.component());
}

void ProgressView::draw_bar() {
  std::string label;
  std::uint64_t done = 0, total = 0;
  for (const auto& [component, going] : going_) {
    const auto one = cat(going.step, component.empty() ? "" : " ", component);
    label += label.empty() ? one : cat(", ", one.starts_with("fetch ") && label.starts_with("fetch ") ? component : one);
    done += going.done;
    total += going.total;
  }
  label = runtime::printable(label);
  if (!bar_ || bar_label_ != label) {
    bar_.emplace(label, total, style_, terminal_.err_fd());
    bar_label_ = label;
  }
  bar_->set_total(total);
  bar_->update(done);
}

void ProgressView::amount(const std::string& label, std::uint64_t bytes) {
  if (style_ != Progress::Style::bar) return;
  if (!bar_) bar_.emplace(label, 0, style_, terminal_.err_fd());
  bar_->update(bytes);
}

}  // namespace picket::ctl
