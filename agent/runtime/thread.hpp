// How every thread of the agent is started: with a name, and deaf to signals (those belong to `signals`).
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace picket::runtime {

[[nodiscard]] std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace picket::runtime
