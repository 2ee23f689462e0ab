// The classes of results, and the rule that makes one of many.
#pragma once

#include <string>
#include <string_view>

#include "picket/distribution_point/v1/distribution_point.pb.h"

namespace distribution_point {

namespace v1 = picket::distribution_point::v1;

inline constexpr std::string_view kOk = "ok", kPartial = "partial", kUnsupported = "unsupported", kFailed = "failed";

[[nodiscard]] bool is_rule(std::string_view rule);
// Fills in overall, rule and reason from the points.
//   strict               one point that failed, or whose platform cannot download, fails the task; one that holds a part makes it partial
//   ignore-unsupported   the same, but for points that cannot download, unless all are such
//   any-ok               the best of the points
void judge(std::string_view rule, v1::DownloadResult& result);

}  // namespace distribution_point
