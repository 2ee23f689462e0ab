// Memory for what is read here and there all the time: to find a page of 4 KiB costs such a reader more than to read it.
#pragma once

#include <memory>
#include <string_view>

namespace picket::digests {

// A copy in huge pages where the system has them; empty when there is no memory for it.
[[nodiscard]] std::shared_ptr<const char> in_huge_pages(std::string_view bytes);

}  // namespace picket::digests
