#include "scanner.hpp"

PICKET_PLUGIN("org.picket.scanner", scanner::Scanner)
