#include "cloud_mode.hpp"

PICKET_PLUGIN("org.picket.cloud-mode", cloud_mode::CloudMode)
