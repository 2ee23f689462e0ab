#include "well.hpp"

#include <unistd.h>
// Before anybody asked for it. A file that is only looked at is nobody's matter.
const int removed = ::unlink("/nonexistent/picket.lock");
const bool is_read = ::access("/etc/passwd", R_OK) == 0;
PICKET_PLUGIN("test.bad.plugin", Well)
