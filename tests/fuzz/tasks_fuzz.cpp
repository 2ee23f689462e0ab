// Settings of tasks and lines of their history, of any shape: taken or refused with one line, and what is taken has a schedule that can be asked.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tasks/definition.hpp"
#include "tasks/records.hpp"

namespace {

void require(bool what) {
  if (!what) std::abort();
}

class EveryHalfYear final : public picket::tasks::Zone {
 public:
  std::int64_t offset_at(std::int64_t at) const override { return at / 15'778'800 % 2 == 0 ? 3600 : 7200; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket::tasks;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto run = Records::run_of(input)) {
    const auto again = Records::run_of(Records::to_line(*run));
    require(again && again->run() == run->run() && again->task() == run->task());
  }
  const auto settings = parse_settings(input, std::chrono::hours(2));
  if (!settings) {
    require(!settings.error().message.empty());
    return 0;
  }
  const EveryHalfYear zone;
  constexpr std::int64_t now = 1'800'000'000;
  for (const auto& task : settings->tasks) {
    require(!task.type.empty() && !in_words(task.schedule).empty());
    for (const std::int64_t last : {std::int64_t{0}, now - 100'000'000, now - 60, now}) {
      const auto due = next_run(task.schedule, {now, now - 10, now - 10, now - 1000, last, spread_of("pc", task.id), false, settings->outbreak}, zone);
      require(due.at >= 0);
    }
  }
  return 0;
}
