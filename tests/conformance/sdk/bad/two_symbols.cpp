#include "well.hpp"
extern "C" PICKET_EXPORT int another_symbol() { return 1; }
PICKET_PLUGIN("test.bad.plugin", Well)
