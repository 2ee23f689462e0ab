// What every libcurl source does with the bus: takes requests, hands transfers to the loop, passes on credit and cancellation. Plugin thread.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "curl_source/loop.hpp"

namespace curl_source {

class Desk {
 public:
  // Checks what the request names, without waiting for anything.
  using Make = std::function<Outcome<std::unique_ptr<Transfer>>(Order)>;

  // kind: "http", for texts.
  Desk(picket::plugin::Host host, std::string kind, Make make) : host_(host), kind_(std::move(kind)), make_(std::move(make)) {}

  void start(LoopOptions options);
  // Running transfers go on as they began. False: the options are in force from the next start, since something runs.
  [[nodiscard]] bool apply(const LoopOptions& options);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& message);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);

 private:
  void accept(std::uint64_t request_id, picket::source::v1::FetchRequest request, bool probe);
  void forget_answered();

  picket::plugin::Host host_;
  const std::string kind_;
  const Make make_;
  LoopOptions options_;
  std::unique_ptr<Loop> loop_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Answer>> open_;
};

}  // namespace curl_source
