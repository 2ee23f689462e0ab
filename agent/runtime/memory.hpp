#pragma once

namespace picket::runtime {

// A start and a run leave behind what an idle agent does not need: the allocator's free pages, and the pages of code and constants that
// were read once. Both go back to the system; what is needed again is read again, mostly from the page cache. Never fails.
void return_memory();

}  // namespace picket::runtime
