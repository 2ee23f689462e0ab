#include "support/ctl_picketd.hpp"

#include <chrono>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/files.hpp"
#include "ctl/app.hpp"
#include "ctl/session.hpp"

namespace picket::test {

CtlPicketd::~CtlPicketd() {
  server_.reset();
  for (const auto& [name, peer] : peers_) (void)peer->detach(std::chrono::milliseconds::max());
  peers_.clear();
  if (io_) io_->stop();
  if (executor_) executor_->stop(std::chrono::seconds(5));
  router_.reset();
}

void CtlPicketd::start() {
  executor_ = runtime::Executor::make(2);
  io_ = runtime::IoLoop::make("io");
  router_ = bus::Router::make(*executor_);
  // A peer for each part of picketd, by its name, and one for all plugins; one strand, so that the test's answers never overlap.
  const auto strand = executor_->make_strand("test");
  std::map<std::string, bus::PeerOptions> parts;
  parts["test.plugins"].allow.publishes = {{"picket.ksn.state", bus::Kind::state}};
  for (const auto& [topic, answer] : answers_) parts[part_of(topic)].allow.answers.push_back(topic);
  for (auto& [name, options] : parts) {
    options.name = name;
    options.strand = strand;
    options.starts_paused = true;  // until all are there
    auto peer = router_->attach(std::move(options), *this);
    ASSERT_TRUE(peer) << peer.error().message;
    peers_[name] = std::move(*peer);
  }
  for (const auto& [name, peer] : peers_) peer->resume();
  bus::wire::ServerOptions server;
  server.path = socket();
  server.allow = [](const auto&) -> Result<bus::AllowList> {
    bus::AllowList allow;
    allow.asks = {"*"};
    allow.subscribes = {"*"};
    return allow;
  };
  auto started = bus::wire::Server::start(*router_, *io_, std::move(server));
  ASSERT_TRUE(started) << started.error().message;
  server_ = std::move(*started);
}

std::string CtlPicketd::part_of(std::string_view topic) {
  const auto part = ctl::part_that_answers(topic);
  return part.empty() ? "test.plugins" : std::string(part);
}

void CtlPicketd::publish_state(const std::string& topic, const google::protobuf::Message& value) {
  EXPECT_EQ(peers_.at("test.plugins")->publish(topic, "", "application/x-protobuf; messageType=" + value.GetTypeName(), value.SerializeAsString()), bus::kOk);
}

void CtlPicketd::on_request(bus::RequestId id, const bus::MessagePtr& message) {
  const auto found = answers_.find(std::string(message->topic()));
  auto& peer = *peers_.at(part_of(message->topic()));
  if (found == answers_.end()) {
    peer.respond(id, bus::status_of(Code::unsupported), {}, "nobody answers this topic");
    return;
  }
  const auto answer = found->second(message->payload());
  for (const auto& chunk : answer.chunks) EXPECT_EQ(peer.stream_write(id, chunk), bus::kOk);
  if (answer.never_ends) {
    const std::lock_guard lock(mutex_);
    requested_ = true;
    changed_.notify_all();
    return;
  }
  if (answer.reply) peer.respond(id, bus::kOk, "application/x-protobuf", *answer.reply);
  else peer.respond(id, bus::status_of(answer.reply.error().code), {}, answer.reply.error().message);
}

void CtlPicketd::on_cancel(bus::RequestId) {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

bool CtlPicketd::wait_for_cancel() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return cancelled_; });
}

bool CtlPicketd::wait_for_request() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return requested_; });
}

CtlRan run_ctl(std::vector<std::string> arguments, const core::CancelToken& cancel, std::int64_t now) {
  const UniqueFd out(::memfd_create("out", MFD_CLOEXEC)), err(::memfd_create("err", MFD_CLOEXEC));
  ctl::Terminal terminal(out.get(), err.get());
  CtlRan ran;
  ran.code = ctl::run(arguments, terminal, cancel, now);
  const auto caught = [](int fd) {
    ::lseek(fd, 0, SEEK_SET);
    auto text = read_all(fd, 16u << 20);
    return text ? *text : "unreadable: " + text.error().message;
  };
  ran.out = caught(out.get());
  ran.err = caught(err.get());
  return ran;
}

}  // namespace picket::test
