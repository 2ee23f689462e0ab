// A plugin that keeps the rules: subscribes, repeats what it hears, answers with what it was asked. The bad ones differ in one thing each.
#pragma once

#include <picket/plugin.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

using picket::plugin::Host;
using picket::plugin::Message;

class Well {
 public:
  explicit Well(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t revision) {
    if (settings.find("\"count\":3") == std::string_view::npos || settings.find("\"on\":true") == std::string_view::npos)
      return host_.fail(PICKET_E_INVALID, "the defaults are not there");
    // A host that says no or not now is borne: this one then hears nothing.
    if (const auto status = host_.subscribe("test.bad.heard.*"); status != PICKET_OK) host_.warning("hears nothing");
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }
  void stop() noexcept {}
  void on_message(const Message& message) { host_.publish("test.bad.said", "", message.content_type, message.payload); }
  void on_request(std::uint64_t id, const Message& request) { host_.respond(id, PICKET_OK, request.content_type, request.payload); }

 protected:
  Host host_;
};
