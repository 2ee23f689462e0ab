// The life of a child: one plugin, one socket, until picketd closes it.
#pragma once

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::plugin_host::child {

// library: the sealed file. Returns when picketd has closed the socket; an error is why the plugin could not be served.
[[nodiscard]] Result<> serve(UniqueFd socket, UniqueFd library);

}  // namespace picket::plugin_host::child
