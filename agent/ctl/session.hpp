// The connection to picketd: made when first needed, requests as protobuf messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "base/result.hpp"
#include "bus/wire/client.hpp"
#include "core/cancel.hpp"

namespace picket::ctl {

// The part of picketd that answers this topic; empty: a plugin does, whichever it is.
[[nodiscard]] std::string_view part_that_answers(std::string_view topic);

class Session {
 public:
  Session(std::filesystem::path socket, std::chrono::milliseconds timeout, core::CancelToken cancel);

  // Waits at most the session's timeout. A failed answer is an Error with its text.
  [[nodiscard]] Result<> ask(std::string_view topic, const google::protobuf::Message& request, google::protobuf::Message& reply);
  template <class Reply>
  [[nodiscard]] Result<Reply> ask(std::string_view topic, const google::protobuf::Message& request) {
    Reply reply;
    PICKET_TRY(ask(topic, request, reply));
    return reply;
  }

  // The same of a role that this computer need not have, and the plugin that is it.
  template <class Reply>
  [[nodiscard]] Result<Reply> ask_role(std::string_view role, std::string_view plugin, std::string_view topic, const google::protobuf::Message& request) {
    Reply reply;
    auto done = ask(topic, request, reply);
    if (done) return reply;
    if (!done.error().is_unanswered) return fail(std::move(done).error());
    return fail(Code::unavailable, cat("no ", role, " runs here: the plugin ", plugin, " is not there, or does not run (picketctl plugin list)"));
  }

  // The same without a limit, unless --timeout was given: for work that takes its time without telling.
  [[nodiscard]] Result<> ask_patiently(std::string_view topic, const google::protobuf::Message& request, google::protobuf::Message& reply);

  // For long work: each chunk of the stream is given to `chunk`; an Error from it ends the request. Without a limit unless
  // --timeout was given. A cancellation reaches the other side.
  using Chunk = std::function<Result<>(std::string_view payload)>;
  // `idle` is asked now and then while nothing comes; an Error from it ends the request too.
  using Idle = std::function<Result<>()>;
  [[nodiscard]] Result<> follow(std::string_view topic, const google::protobuf::Message& request, google::protobuf::Message& reply, const Chunk& chunk,
                                const Idle& idle = {});

  // The same of what has no end of its own: watched until cancelled, or for as long as --timeout said, and both end well.
  [[nodiscard]] Result<> watch(std::string_view topic, const google::protobuf::Message& request, google::protobuf::Message& reply, const Chunk& chunk,
                               const Idle& idle);

  // The value that a state topic keeps now. Code::not_found: nobody said anything.
  [[nodiscard]] Result<> state(std::string_view topic, google::protobuf::Message& value);

  void limit_long_work() { long_timeout_ = timeout_; }
  [[nodiscard]] bool is_unreachable() const { return unreachable_; }
  [[nodiscard]] const std::filesystem::path& socket() const { return socket_; }
  [[nodiscard]] Result<> connect();  // already connected: nothing

 private:
  [[nodiscard]] Result<> ask_within(std::chrono::milliseconds limit, std::string_view topic, const google::protobuf::Message& request, google::protobuf::Message& reply);
  const std::filesystem::path socket_;
  const std::chrono::milliseconds timeout_;
  std::chrono::milliseconds long_timeout_;
  const core::CancelToken cancel_;
  std::unique_ptr<bus::wire::Client> client_;
  bool unreachable_ = false;
};

}  // namespace picket::ctl
