// Memory for small messages. They are made on one thread and end on another, which is the slow case of malloc: both would
// contend for the maker's arena. Here whole lists of blocks go back from the thread that ends them to those that make them.
#pragma once

#include <cstddef>

namespace picket::bus {

// Sizes above this come from operator new.
constexpr std::size_t kBlockSize = 512;

[[nodiscard]] void* take_block(std::size_t size);
void give_block(void* block, std::size_t size);

}  // namespace picket::bus
