// Answers that come in as many messages as they need, asked for as a whole.
#pragma once

#include <string_view>

#include "ctl/session.hpp"
#include "picket/task/v1/control.pb.h"
#include "picket/update/v1/report.pb.h"

namespace picket::ctl {

[[nodiscard]] Result<update::v1::StatusReply> ask_updates(Session& session, std::string_view topic = "picket.update.status");
[[nodiscard]] Result<task::v1::ListReply> ask_tasks(Session& session);

}  // namespace picket::ctl
