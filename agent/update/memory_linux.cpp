#include "update/memory.hpp"

#include <malloc.h>

namespace picket::update {

void return_memory() { ::malloc_trim(0); }

}  // namespace picket::update
