#include "update/explain.hpp"

#include "base/bytes.hpp"

namespace picket::update {
namespace {

constexpr std::size_t kMaxReply = 120'000;  // below the bus's payload limit
constexpr std::size_t kMaxLine = 2'000;     // texts of sources are theirs: not without end

}  // namespace

void Explain::begin(std::uint64_t run) {
  const std::lock_guard lock(mutex_);
  run_ = run;
  began_ = clock_.monotonic();
  steps_.clear();
}

void Explain::say(const About& about, std::string_view decision) {
  v1::ExplainStep step;
  step.set_component(std::string(about.component));
  step.set_source(std::string(about.source));
  step.set_file(std::string(about.file));
  step.set_decision(std::string(whole_characters(decision, kMaxLine)));
  const std::lock_guard lock(mutex_);
  step.set_at_ms((clock_.monotonic() - began_).count());
  if (steps_.size() == kMaxSteps) {
    steps_.back().set_decision("further steps are not kept");
    return;
  }
  steps_.push_back(std::move(step));
}

v1::ExplainReply Explain::reply(std::string_view component) const {
  v1::ExplainReply out;
  const std::lock_guard lock(mutex_);
  out.set_run(run_);
  std::size_t bytes = 0;
  for (const auto& step : steps_) {
    // What concerns no component concerns all of them.
    if (!component.empty() && !step.component().empty() && step.component() != component) continue;
    bytes += step.ByteSizeLong() + 8;
    if (bytes > kMaxReply) {
      out.add_steps()->set_decision("further steps do not fit into one answer: ask for one component");
      break;
    }
    *out.add_steps() = step;
  }
  return out;
}

}  // namespace picket::update
