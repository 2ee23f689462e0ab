#include "plugin_host/lifecycle.hpp"

namespace picket::plugin_host {

namespace {

using enum State;
using E = Event;
using A = Action;

constexpr Transition table[] = {
    {verifying,   E::accepted,       starting,    A::launch},
    {verifying,   E::refused,        refused,     A::drop},
    {verifying,   E::deadline,       refused,     A::drop},           // a static constructor that hangs
    {verifying,   E::stop_wanted,    stopped,     A::drop},
    {starting,    E::started,        running,     A::settle},
    {starting,    E::refused,        refused,     A::drop},
    {starting,    E::start_failed,   backing_off, A::drop_and_wait},
    {starting,    E::ended,          backing_off, A::drop_and_wait},
    {starting,    E::overran,        backing_off, A::drop_and_wait},
    {starting,    E::deadline,       backing_off, A::drop_and_wait},
    {starting,    E::stop_wanted,    stopping,    A::ask_stop},
    {starting,    E::restart_wanted, stopping,    A::ask_stop},
    {running,     E::ended,          backing_off, A::drop_and_wait},
    {running,     E::overran,        backing_off, A::drop_and_wait},
    {running,     E::stop_wanted,    stopping,    A::ask_stop},
    {running,     E::restart_wanted, stopping,    A::ask_stop},
    {stopping,    E::stopped,        stopped,     A::drop},
    {stopping,    E::ended,          stopped,     A::drop},
    {stopping,    E::refused,        stopped,     A::drop},
    {stopping,    E::deadline,       stopped,     A::drop},
    {backing_off, E::retry_due,      starting,    A::launch},
    {backing_off, E::too_many,       failed,      A::none},
    {backing_off, E::stop_wanted,    stopped,     A::none},
    {backing_off, E::restart_wanted, verifying,   A::look_again},
    {stopped,     E::restart_wanted, verifying,   A::look_again},
    {failed,      E::restart_wanted, verifying,   A::look_again},
    {failed,      E::stop_wanted,    stopped,     A::none},
    {refused,     E::restart_wanted, verifying,   A::look_again},
};

}  // namespace

const Transition* find_transition(State from, Event event) {
  for (const auto& row : table)
    if (row.from == from && row.event == event) return &row;
  return nullptr;
}

std::string_view to_string(Event event) {
  switch (event) {
    case E::accepted: return "accepted";
    case E::refused: return "refused";
    case E::started: return "started";
    case E::start_failed: return "start failed";
    case E::ended: return "ended";
    case E::overran: return "overran";
    case E::deadline: return "deadline";
    case E::stopped: return "stopped";
    case E::retry_due: return "retry due";
    case E::too_many: return "too many failures";
    case E::stop_wanted: return "stop wanted";
    case E::restart_wanted: return "restart wanted";
  }
  return "?";
}

std::string_view to_string(Home home) { return home == Home::in_process ? "in-process" : "isolated"; }

std::string_view to_string(State state) {
  switch (state) {
    case verifying: return "verifying";
    case starting: return "starting";
    case running: return "running";
    case stopping: return "stopping";
    case stopped: return "stopped";
    case backing_off: return "backing-off";
    case failed: return "failed";
    case refused: return "refused";
  }
  return "?";
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::unknown: return "unknown";
    case Health::healthy: return "healthy";
    case Health::degraded: return "degraded";
    case Health::failed: return "failed";
  }
  return "?";
}

}  // namespace picket::plugin_host
