#include "source_distribution_point.hpp"

PICKET_PLUGIN("org.picket.source-distribution-point", source_distribution_point::SourceDistributionPoint)
