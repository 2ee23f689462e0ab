// A third party's plugin that asks KSN about more files than one message of the bus holds. A request's payload says how many, and the answer
// "SERVER answered, CACHE from the cache, NOBODY unanswered: WHY"; with "whole N" it asks in one message, however long.
#include <cstdlib>
#include <thread>

#include "asker.hpp"
#include "ksn/check.hpp"

namespace {

namespace v1 = picket::ksn::v1;
using picket::Result;

class KsnAsker {
 public:
  explicit KsnAsker(picket::plugin::Host host) : host_(host), asker_(host) {}

  picket_status start(std::string_view, std::uint64_t revision) {
    asker_.start();
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }
  void stop() {
    asker_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void on_reply(std::uint64_t token, picket_status status, const picket::plugin::Message& message) { asker_.on_reply(token, status, message); }

  // One at a time.
  void on_request(std::uint64_t id, const picket::plugin::Message& message) {
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([this, id, text = std::string(message.payload)] {
      const bool whole = text.starts_with("whole ");
      const auto said = ask(static_cast<unsigned>(std::atoi(text.c_str() + (whole ? 6 : 0))), whole);
      if (said) host_.respond(id, PICKET_OK, "text/plain", *said);
      else host_.refuse(id, -static_cast<picket_status>(said.error().code), said.error().message);
    });
  }

 private:
  Result<std::string> ask(unsigned count, bool whole) {
    v1::CheckRequest request;
    for (unsigned i = 0; i < count; ++i) {
      std::string digest(32, '\x77');
      for (unsigned byte = 0; byte < 4; ++byte) digest[byte] = static_cast<char>(i >> (8 * byte));
      request.add_objects()->set_file_digest(digest);
    }
    const auto one = [this](const v1::CheckRequest& some) -> Result<v1::CheckReply> {
      PICKET_LET(answer, asker_.call({.topic = "picket.ksn.check", .payload = some.SerializeAsString(), .timeout = std::chrono::seconds(60)}, never_));
      v1::CheckReply reply;
      if (!reply.ParseFromString(answer)) return picket::fail(picket::Code::invalid, "its answer cannot be read");
      return reply;
    };
    PICKET_LET(reply, whole ? one(request) : picket::ksn::check(request, one));
    unsigned answered = 0, cached = 0, unanswered = 0;
    std::string why;
    for (const auto& checked : reply.checked()) {
      ++(checked.from() == v1::Checked::SERVER ? answered : checked.from() == v1::Checked::CACHE ? cached : unanswered);
      if (why.empty()) why = checked.why();
    }
    return picket::cat(std::to_string(answered), " answered, ", std::to_string(cached), " from the cache, ", std::to_string(unanswered), " unanswered: ", why);
  }

  picket::plugin::Host host_;
  picket::plugin::Asker asker_;
  const std::atomic<bool> never_ = false;
  std::thread thread_;
};

}  // namespace

PICKET_PLUGIN("org.example.ksn-asker", KsnAsker)
