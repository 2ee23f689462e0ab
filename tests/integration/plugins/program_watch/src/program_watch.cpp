// A third party that guards starts of programs, in one file: a task plays the start, and lets the program go on unless KSN says it is untrusted.
#include <picket/plugin.hpp>

#include <boost/json/parse.hpp>

#include "picket/ksn/v1/check.pb.h"
#include "picket/task/v1/task.pb.h"

namespace {

namespace ksn = picket::ksn::v1;

class ProgramWatch {
 public:
  explicit ProgramWatch(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view, std::uint64_t revision) {
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }
  void stop() {}

  void on_request(std::uint64_t id, const picket::plugin::Message& message) {
    picket::task::v1::WorkRequest work;
    if (!work.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()))) {
      host_.refuse(id, PICKET_E_INVALID, "no WorkRequest");
      return;
    }
    ksn::SoftwareRequest start;
    start.set_path(std::string(boost::json::parse(work.options_json()).at("path").as_string()));
    // The start waits for the answer, under its own number.
    const auto asked = host_.request("picket.ksn.software", {}, "application/x-protobuf; messageType=picket.ksn.v1.SoftwareRequest", start.SerializeAsString(), 10'000, id);
    if (asked != PICKET_OK) answer(id, "failed", "KSN cannot be asked");
  }

  void on_reply(std::uint64_t id, picket_status status, const picket::plugin::Message& message) {
    if (status != PICKET_OK) return answer(id, "failed", std::string(message.payload));
    ksn::SoftwareReply reply;
    if (!reply.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()))) return answer(id, "failed", "no SoftwareReply");
    const auto& decides = reply.decided_by() == "software" ? reply.checked() : reply.file();
    const bool goes_on = decides.facts().verdict() != ksn::VERDICT_UNTRUSTED;
    answer(id, goes_on ? "ok" : "failed", reply.text() + (reply.decided_by().empty() ? "" : ", by its " + reply.decided_by()));
  }

 private:
  void answer(std::uint64_t id, const char* result, std::string text) const {
    picket::task::v1::WorkReply reply;
    reply.set_result(result);
    reply.set_text(std::move(text));
    host_.respond(id, PICKET_OK, "application/x-protobuf; messageType=picket.task.v1.WorkReply", reply.SerializeAsString());
  }

  picket::plugin::Host host_;
};

}  // namespace

PICKET_PLUGIN("org.example.program-watch", ProgramWatch)
