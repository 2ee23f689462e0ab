// The life of a supervised plugin as a table.
#pragma once

#include <optional>
#include <string_view>

#include "plugin_host/plugin_host.hpp"

namespace picket::plugin_host {

enum class Event {
  accepted,      // verified, and tried where that is needed
  refused,       // it may not or cannot run; trying again is no use
  started,
  start_failed,  // start answered with an error
  ended,         // the child is gone, or its connection broke
  overran,       // a call takes too long (isolated only)
  deadline,      // what the state waits for did not come in time
  stopped,
  retry_due,
  too_many,      // failed too often
  stop_wanted,
  restart_wanted,
};

enum class Action {
  none,
  launch,        // make an instance and start it
  settle,        // it runs
  ask_stop,
  drop,          // end the instance, whatever it does
  drop_and_wait, // and back off, or give up
  wait,          // back off, or give up
  look_again,    // for the newest verified version
};

struct Transition {
  State from;
  Event event;
  State to;
  Action action;
};

// nullptr: the event means nothing in this state.
[[nodiscard]] const Transition* find_transition(State from, Event event);
[[nodiscard]] std::string_view to_string(Event event);

}  // namespace picket::plugin_host
