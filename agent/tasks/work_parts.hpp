// What the host's types of work share.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "tasks/work.hpp"

namespace picket::tasks {

using Chunk = std::function<void(std::string_view)>;
[[nodiscard]] Chunk as_update_progress(const TellProgress& tell);

// Asks and follows the stream to the answer.
[[nodiscard]] Result<bus::Reply> follow(bus::Caller& caller, std::string_view topic, const google::protobuf::MessageLite& question, const Chunk& take,
                                        const core::CancelToken& cancel);

[[nodiscard]] Result<boost::json::object> options_of(std::string_view text);
[[nodiscard]] Result<std::vector<std::string>> names_of(const boost::json::value& list, std::string_view option);
// Names that no component can have are refused with the settings, not when the task runs.
[[nodiscard]] Result<> check_component(std::string_view name, std::string_view option);
[[nodiscard]] Result<std::vector<std::string>> components_of(const boost::json::value& list);

// Work of the update engine: its RunResult as the result of a task.
class EngineWork : public Work {
 protected:
  [[nodiscard]] static Result<update::v1::RunResult> ask_engine(bus::Caller& caller, std::string_view topic, const google::protobuf::MessageLite& order, const TellProgress& tell,
                                                               const core::CancelToken& cancel);
  [[nodiscard]] static Result<task::v1::WorkReply> ask(bus::Caller& caller, std::string_view topic, const google::protobuf::MessageLite& order, const TellProgress& tell, const core::CancelToken& cancel);
  [[nodiscard]] static task::v1::WorkReply reply_of(const update::v1::RunResult& run);
};

// Copy to further folders, verification before distribution.
[[nodiscard]] std::unique_ptr<Work> copy_work();
[[nodiscard]] std::unique_ptr<Work> verification_work();

}  // namespace picket::tasks
