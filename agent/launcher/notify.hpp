#pragma once

#include <string_view>

namespace picket::launcher {

// Tells the service manager ("READY=1", "STOPPING=1"); does nothing when there is none.
void notify_service_manager(std::string_view state);

}  // namespace picket::launcher
