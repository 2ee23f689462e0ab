// Whose the topics below "picket." are. All others are anybody's who lists them in his manifest.
//
// The host's topics are the host's: no plugin answers or publishes them, however it is signed and wherever it runs. What Picket's own plugins
// say is theirs (ids that begin with "org.picket."), and of those that an administrator lets stand in for one. A third party's part in
// Picket's topics is to answer for itself: as an update source, as the consumer of a component, as a type of task.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace picket {

// Each may do what the one before it may. picketctl stands where Picket's own plugins do.
enum class Standing : std::uint8_t { stranger, own, host };
enum class Deed : std::uint8_t { publish, answer, ask };

[[nodiscard]] bool is_own_plugin(std::string_view id);

// Of a filter: what lies within one row of the table is judged as that row; of a wider one each topic is judged when it is asked.
[[nodiscard]] bool may(Standing standing, Deed deed, std::string_view topic);
// The same; Code::denied says in one line who may.
[[nodiscard]] Result<> check_may(Standing standing, Deed deed, std::string_view topic);

}  // namespace picket
