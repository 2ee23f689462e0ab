#include <stdexcept>

#include "well.hpp"
struct Thrower {
  Thrower() { throw std::runtime_error("static constructor"); }
} thrower;
PICKET_PLUGIN("test.bad.plugin", Well)
