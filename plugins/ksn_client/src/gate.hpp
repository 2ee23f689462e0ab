// The one way out: every message to KSN passes here, where consent, policy and directives are looked at and its sender is named. What it
// refuses never reaches the line, and once it is shut nothing passes any more.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

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

  // A message with an asker, for one of the paths. `done` comes once, at once when the gate is shut (Code::denied). `is_void` is looked at with what
  // `forbids` says: what was taken out of a store may have been thrown away or put aside there on its way here.
  template <class Message>
  void post(std::string_view what, std::string_view path, Message message, std::chrono::milliseconds deadline, Line::Accept accept, Line::Done done,
            const std::function<bool()>& is_void = {}) {
    Result<> refused;
    {
      const std::lock_guard passing(passing_);
      if (auto why = forbids_(what); !why.empty()) {
        refused = fail(Code::denied, std::move(why));
      } else if (is_void && is_void()) {
        refused = fail(Code::denied, "it is not to be sent any more");
      } else {
        const auto shown = sealed(path, message);
        line_.post(path, std::string(*shown->body), deadline, remembers(shown),
                   [this, shown, accept = std::move(accept)](const ksn_channel::Answer& answer, const Way& way) {
                     taken(*shown, true);  // before anybody hears of it
                     auto accepted = accept(answer, way);
                     if (!accepted) taken(*shown, false);
                     return accepted;
                   },
                   std::move(done));
      }
    }
    if (!refused) done(std::move(refused));
  }
  // The same on every road at once. The error says why nothing goes; `done` does not come then.
  template <class Message>
  [[nodiscard]] Result<> try_all(std::string_view what, std::string_view path, Message message, std::chrono::milliseconds deadline,
                                 std::function<void(std::vector<Line::Tried>)> done) {
    const std::lock_guard passing(passing_);
    if (auto why = forbids_(what); !why.empty()) return fail(Code::denied, std::move(why));
    const auto shown = sealed(path, message);
    line_.try_all(path, *shown->body, deadline, remembers(shown), [this, shown, done = std::move(done)](std::vector<Line::Tried> tried) {
      for (const auto& one : tried)
        if (one.answer && one.answer->status == 200) taken(*shown, true);
      done(std::move(tried));
    });
    return {};
  }
  // Changes what `forbids` looks at; when this returns nothing passes that it forbids.
  template <class Change>
  void change(Change&& apply) {
    const std::lock_guard passing(passing_);
    apply();
  }

  // The message that went out last.
  struct Sent {
    std::string path;
    std::shared_ptr<const std::string> body;
    std::string to;
    std::int64_t when = 0;
    bool taken = false;  // an answer came that was no refusal, and could be believed
    std::uint64_t number = 0;
  };
  [[nodiscard]] Sent last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  template <class Message>
  std::shared_ptr<const Sent> sealed(std::string_view path, Message& message) {
    const std::lock_guard lock(mutex_);
    *message.mutable_asker() = asker_;
    return std::make_shared<const Sent>(Sent{std::string(path), std::make_shared<const std::string>(message.SerializeAsString()), {}, 0, false, ++number_});
  }
  Line::Goes remembers(const std::shared_ptr<const Sent>& sent) {
    return [this, sent](const Way& way) {
      const std::lock_guard lock(mutex_);
      last_ = *sent;
      last_.to = way.name;
      last_.when = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    };
  }
  void taken(const Sent& sent, bool is_so) {
    const std::lock_guard lock(mutex_);
    if (last_.number == sent.number) last_.taken = is_so;
  }

  Line& line_;
  const Forbids forbids_;
  std::mutex passing_;         // held while a message goes
  mutable std::mutex mutex_;   // the members below
  v1::Asker asker_;
  Sent last_;
  std::uint64_t number_ = 0;
};

}  // namespace ksn_client
