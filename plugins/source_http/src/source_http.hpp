// The plugin: checks requests, hands them to the loop, and passes on credit and cancellation.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "loop.hpp"

namespace source_http {

class SourceHttp {
 public:
  explicit SourceHttp(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);

 private:
  void accept(std::uint64_t request_id, picket::source::v1::FetchRequest request, bool probe);
  void forget_answered();

  picket::plugin::Host host_;
  Settings settings_;
  std::unique_ptr<Loop> loop_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Answer>> open_;  // plugin thread only
  std::set<std::string> told_about_http_;                            // sources of which the log says that they use plain http
};

}  // namespace source_http
