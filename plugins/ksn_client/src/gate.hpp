// The one way out: every message to KSN passes here, where consent, policy and directives are looked at and its sender is named. What it
// refuses never reaches the line, and once it is shut nothing passes any more.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "line.hpp"
#include "standing.hpp"

namespace ksn_client {

class Gate {
 public:
  // `forbids`: why a message about this ("file", "hello", ...) may not go now; empty: it may.
  using Forbids = std::function<std::string(std::string_view what)>;
  Gate(Line& line, Forbids forbids) : line_(line), forbids_(std::move(forbids)) {}

  void name(v1::Asker asker) {
    const std::lock_guard lock(mutex_);
    asker_ = std::move(asker);
  }
  [[nodiscard]] v1::Asker asker() const {
    const std::lock_guard lock(mutex_);
    return asker_;
  }

  // A message with an asker, for one of the paths. `done` comes once, at once when the gate is shut (Code::denied).
  template <class Message>
  void post(std::string_view what, std::string_view path, Message message, std::chrono::milliseconds deadline, Line::Accept accept, Line::Done done) {
    Result<> refused;
    {
      const std::lock_guard passing(passing_);
      if (auto why = forbids_(what); !why.empty()) {
        refused = fail(Code::denied, std::move(why));
      } else {
        *message.mutable_asker() = asker();
        std::string body = message.SerializeAsString();
        remember(path, body);
        line_.post(path, std::move(body), deadline,
                   [this, accept = std::move(accept)](const ksn_channel::Answer& answer, const Way& way) {
                     {
                       const std::lock_guard lock(mutex_);
                       last_.to = way.name;
                     }
                     return accept(answer, way);
                   },
                   std::move(done));
      }
    }
    if (!refused) done(std::move(refused));
  }
  // Changes what `forbids` looks at; when this returns nothing passes that it forbids.
  template <class Change>
  void change(Change&& apply) {
    const std::lock_guard passing(passing_);
    apply();
  }

  struct Sent {
    std::string path, body, to;
    std::int64_t when = 0;
  };
  [[nodiscard]] Sent last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  void remember(std::string_view path, const std::string& body) {
    const std::lock_guard lock(mutex_);
    last_ = {std::string(path), body, line_.in_force(), std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
    // Parts of files would be kept twice for nobody's use.
    if (last_.path == "/ksn/v1/content") {
      v1::ContentRequest shown;
      if (shown.ParseFromString(last_.body) && shown.part().size() > 4096) shown.mutable_part()->resize(4096), last_.body = shown.SerializeAsString();
    }
  }

 private:
  Line& line_;
  const Forbids forbids_;
  std::mutex passing_;         // held while a message goes
  mutable std::mutex mutex_;   // the members below
  v1::Asker asker_;
  Sent last_;
};

}  // namespace ksn_client
