// A picketd for tests of picketctl: a real router and a real control socket, with answers given by the test.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <google/protobuf/message.h>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/wire/server.hpp"
#include "core/cancel.hpp"
#include "runtime/executor.hpp"
#include "runtime/io_loop.hpp"
#include "support/temporary_folder.hpp"

namespace picket::test {

// What an answer is made of: chunks of stream, then a reply or an error.
struct CtlAnswer {
  std::vector<std::string> chunks;
  Result<std::string> reply = std::string();
  bool never_ends = false;  // waits for cancellation
};

class CtlPicketd : bus::Handler {
 public:
  CtlPicketd() = default;
  ~CtlPicketd() override;

  // Before start().
  void answer_bytes(const std::string& topic, std::function<CtlAnswer(std::string_view request)> answer) { answers_[topic] = std::move(answer); }
  template <class Request>
  void answer(const std::string& topic, std::function<Result<std::string>(const Request&)> function) {
    answer_bytes(topic, [function](std::string_view bytes) {
      Request request;
      if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return CtlAnswer{{}, fail(Code::invalid, "not such a request"), false};
      return CtlAnswer{{}, function(request), false};
    });
  }
  void answer_with(const std::string& topic, const google::protobuf::Message& reply) {
    answer_bytes(topic, [bytes = reply.SerializeAsString()](std::string_view) { return CtlAnswer{{}, bytes, false}; });
  }
  void start();
  void publish_state(const std::string& topic, const google::protobuf::Message& value);

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path socket() const { return folder_ / "picketd.sock"; }
  // A request that never ends was cancelled; false: not within ten seconds.
  [[nodiscard]] bool wait_for_cancel();
  // The request that never ends has arrived.
  [[nodiscard]] bool wait_for_request();

 private:
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override;
  void on_cancel(bus::RequestId id) override;
  [[nodiscard]] static std::string part_of(std::string_view topic);

  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  std::map<std::string, std::function<CtlAnswer(std::string_view)>> answers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false, requested_ = false;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<runtime::IoLoop> io_;
  std::unique_ptr<bus::Router> router_;
  std::map<std::string, std::unique_ptr<bus::Peer>> peers_;
  std::unique_ptr<bus::wire::Server> server_;
};

struct CtlRan {
  int code = -1;
  std::string out, err;
};
// picketctl within this process, output caught. `now` is the time that ages are measured from.
[[nodiscard]] CtlRan run_ctl(std::vector<std::string> arguments, const core::CancelToken& cancel = {}, std::int64_t now = 1'800'000'000);

}  // namespace picket::test
