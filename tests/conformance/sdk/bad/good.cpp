#include "well.hpp"
PICKET_PLUGIN("test.bad.plugin", Well)
