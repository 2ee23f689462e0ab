// A third party's type of task in one file: tries what is in force, and does not like the release that the task's options name.
#include <charconv>

#include <picket/plugin.hpp>

#include "picket/component/v1/component.pb.h"
#include "picket/task/v1/task.pb.h"

namespace {

class SetTester {
 public:
  explicit SetTester(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view, std::uint64_t revision) {
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return host_.subscribe("picket.component.active");
  }
  void stop() {}

  void on_message(const picket::plugin::Message& message) {
    picket::component::v1::ActiveSet set;
    if (set.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()))) release_ = set.release();
  }

  void on_request(std::uint64_t id, const picket::plugin::Message& message) {
    picket::task::v1::WorkRequest request;
    if (!request.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()))) {
      host_.refuse(id, PICKET_E_INVALID, "no WorkRequest");
      return;
    }
    if (request.options_json().find("\"hold\"") != std::string::npos) return;  // {"hold":true}: works on it until it is killed
    // {"refuse_release":6}: the options come as the administrator wrote them.
    std::uint64_t refused = 0;
    if (const auto digits = request.options_json().find_first_of("0123456789"); digits != std::string::npos)
      std::from_chars(request.options_json().data() + digits, request.options_json().data() + request.options_json().size(), refused);
    picket::task::v1::WorkReply reply;
    const bool good = release_ != refused;
    reply.set_result(good ? "ok" : "failed");
    reply.set_text("release " + std::to_string(release_) + (good ? " is good" : " is not good"));
    host_.respond(id, PICKET_OK, "application/x-protobuf; messageType=picket.task.v1.WorkReply", reply.SerializeAsString());
  }

 private:
  picket::plugin::Host host_;
  std::uint64_t release_ = 0;
};

}  // namespace

PICKET_PLUGIN("org.example.set-tester", SetTester)
