// For the few things that a plugin's stray thread or static destructor may still reach after we are done with them.
#pragma once

#include <memory>

namespace picket::plugin_host {

// Never destroyed, not even at exit. Any thread.
void keep_forever(std::shared_ptr<void> thing);

}  // namespace picket::plugin_host
