// How the update engine's answers look; used by several commands.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/session.hpp"
#include "ctl/terminal.hpp"
#include "picket/update/v1/report.pb.h"

namespace picket::ctl {

// ", pinned", or where it is to go: beside the release; empty: no pin holds it.
[[nodiscard]] std::string pin_of(const update::v1::ComponentStatus& component);
void print_components(Terminal& terminal, const update::v1::StatusReply& status, std::int64_t now);
void print_sources(Terminal& terminal, const update::v1::StatusReply& status, std::int64_t now);
void print_run(Terminal& terminal, const update::v1::RunResult& run);
// "ok 5 min ago from mirror: 2 updated, 1 current, 1.4 MB"
[[nodiscard]] std::string run_summary(const update::v1::RunResult& run, std::int64_t now);
// The last run, or that there was none: on a distribution point also where its downloads are shown, which are no updates of this computer.
[[nodiscard]] std::string last_run(const update::v1::StatusReply& status, std::int64_t now, bool is_point);
[[nodiscard]] bool is_point(Session& session);

}  // namespace picket::ctl
