// What a type of task does. The host's own types are here; any other is work of the plugin that answers picket.task.type.NAME.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <picket/task/v1/task.pb.h>
#include <picket/update/v1/update.pb.h>

#include "base/result.hpp"
#include "bus/caller.hpp"
#include "core/cancel.hpp"

namespace picket::tasks {

inline constexpr std::string_view kTypeTopic = "picket.task.type.";

using TellProgress = std::function<void(const update::v1::Progress&)>;

class Work {
 public:
  virtual ~Work() = default;
  [[nodiscard]] virtual std::string_view type() const = 0;
  // Code::invalid: which option is wrong. Asked when the task is defined.
  [[nodiscard]] virtual Result<> check(std::string_view options_json) const = 0;
  // On a thread of its own; blocks until done or cancelled. Code::cancelled, Code::unsupported, or another error: failed.
  [[nodiscard]] virtual Result<task::v1::WorkReply> run(bus::Caller& caller, const task::v1::WorkRequest& request, const TellProgress& tell, const core::CancelToken& cancel) const = 0;
};

// update, rollback: over the bus, as picketctl does it.
[[nodiscard]] std::vector<std::unique_ptr<Work>> host_work();
// Of a plugin.
[[nodiscard]] Result<task::v1::WorkReply> run_elsewhere(bus::Caller& caller, const std::string& type, const task::v1::WorkRequest& request, const TellProgress& tell,
                                                        const core::CancelToken& cancel);

}  // namespace picket::tasks
