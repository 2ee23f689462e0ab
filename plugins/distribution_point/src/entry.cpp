#include "distribution_point.hpp"

PICKET_PLUGIN("org.picket.distribution-point", distribution_point::DistributionPoint)
