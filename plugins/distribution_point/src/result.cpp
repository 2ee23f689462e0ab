#include "result.hpp"

#include "base/result.hpp"

namespace distribution_point {
namespace {

// How bad; unsupported is as bad as failed to whoever waits for updates.
int weight(std::string_view result_class) { return result_class == kOk ? 0 : result_class == kPartial ? 1 : 2; }
constexpr std::string_view kWords[] = {kOk, kPartial, kFailed};

}  // namespace

bool is_rule(std::string_view rule) { return rule == "strict" || rule == "ignore-unsupported" || rule == "any-ok"; }

void judge(std::string_view rule, v1::DownloadResult& result) {
  const bool any = rule == "any-ok", lenient = rule == "ignore-unsupported";
  const v1::PointResult* deciding = nullptr;
  for (const auto& point : result.points()) {
    if (lenient && point.result_class() == kUnsupported) continue;
    const int mine = weight(point.result_class());
    if (deciding == nullptr || (any ? mine < weight(deciding->result_class()) : mine > weight(deciding->result_class()))) deciding = &point;
  }
  result.set_rule(std::string(rule));
  result.clear_reason();
  if (deciding == nullptr) {
    result.set_overall(std::string(kFailed));
    result.set_reason(result.points().empty() ? "there is no distribution point" : "no point can download: all are unsupported");
    return;
  }
  result.set_overall(std::string(kWords[weight(deciding->result_class())]));
  if (deciding->result_class() != kOk) result.set_reason(picket::cat(deciding->point(), " is ", deciding->result_class(), ": ", deciding->reason()));
}

}  // namespace distribution_point
