#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "points.hpp"

namespace source_distribution_point {

// Connects to all of them at once, at most this long, and tells `points` how long each took. On the thread of the transfers.
void survey(const std::vector<std::string>& urls, std::chrono::milliseconds limit, Points& points);

}  // namespace source_distribution_point
