// picket/testing/records.hpp - what a FakeHost is given and what it writes down. Plain values; see fake_host.hpp.
#pragma once

#include <picket/plugin.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace picket::testing {

struct Message {
  std::string topic = {}, payload = {}, key = {}, content_type = {};
  std::string sender = "test";
  std::uint32_t timeout_ms = 0;  // requests: 0 means 10 s
};

struct LogRecord {
  std::int32_t level;
  std::string text;
};

// A request that the plugin made. `message.sender` is empty.
struct Asked {
  std::uint64_t token = 0;
  std::string to;
  Message message;
  std::uint64_t credit = 0;    // what a stream may still bring
  std::uint64_t granted = 0;   // in all
  bool open = true;            // on_reply has not been called yet
  std::uint64_t deadline = 0;  // of the fake clock
};

// What the plugin did with a request that it was given.
struct Answered {
  bool done = false;      // it responded
  bool wanted = true;     // false once cancelled or late
  picket_status status = PICKET_OK;
  std::string content_type, payload;
  std::string stream;
  std::uint64_t chunks = 0;
  std::uint64_t credit = 0;         // what it may still write
  std::uint64_t refused_writes = 0; // since credit last came
  std::uint64_t deadline = 0;
};

struct Observed {
  std::uint64_t revision;
  std::int32_t health;
  std::string text;
};

struct Health {
  std::int32_t health = 0;
  std::string text = {};
};

struct Timer {
  std::uint64_t due = 0, period = 0;
};

struct Reply {
  picket_status status = PICKET_OK;
  std::string payload = {};
  std::string content_type = {};
  std::string stream = {};  // sent before the answer, as far as the plugin's credit goes
};

// The topics of a manifest. A list that is not given allows everything.
struct Allow {
  std::optional<std::vector<std::string>> publishes, subscribes, answers, asks;
  std::vector<std::string> events = {};  // those of `publishes` whose kind is event: the bus refuses a key. The others count as state.
};

}  // namespace picket::testing
