#pragma once

namespace picket::update {

// A run parses megabytes of metadata: what the allocator keeps of it goes back to the system, since an idle agent should be small.
void return_memory();

}  // namespace picket::update
