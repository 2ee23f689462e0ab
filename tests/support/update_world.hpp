// An update engine on a real bus, with sources and consumers that do as a test tells them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <picket/component/v1/component.pb.h>
#include <picket/source/v1/source.pb.h>
#include <picket/update/v1/report.pb.h>

#include "bus/caller.hpp"
#include "runtime/executor.hpp"
#include "runtime/timers.hpp"
#include "support/update_repository.hpp"
#include "update/update.hpp"

namespace picket::support {

class HandClock : public core::Clock {
 public:
  std::int64_t wall_seconds() const override { return wall; }
  std::chrono::milliseconds monotonic() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()) + std::chrono::milliseconds(ahead_ms);
  }
  std::atomic<std::int64_t> wall{TufRepo::start + 3600};
  std::atomic<std::int64_t> ahead_ms{0};
};

// A source plugin: answers picket.source.fetch from `files` ("metadata/1.root.json", "targets/...").
class FakeSource : private bus::Handler {
 public:
  FakeSource(bus::Router& router, std::string name);
  ~FakeSource() override;

  // Serves what the repository holds now.
  void serve(const UpdateRepository& repository);
  struct Asked {
    std::string path;
    std::uint64_t offset = 0, max_bytes = 0, sent = 0;
    std::uint32_t connect_timeout_ms = 0, stall_timeout_ms = 0;
  };
  [[nodiscard]] std::vector<Asked> asked() const;
  [[nodiscard]] std::uint64_t sent_of(std::string_view path_part) const;  // bytes in all
  void forget_asked();

  struct Trouble {
    std::string path_part;               // which files
    enum class What { none, missing, unreachable, denied, dies, endless, flips, silent, cannot_resume, lies_about_sent, vanishes } what = What::none;
    std::uint64_t after = 0;             // bytes sent before it happens
    unsigned times = 1000;
  };
  void make_trouble(Trouble trouble);
  void no_trouble();
  // Called before each chunk, on the source's strand.
  std::function<void(std::string_view path, std::uint64_t sent)> before_chunk;
  std::map<std::string, std::string> files;   // only while nobody asks
  std::size_t chunk_size = 64 * 1024;
  std::string refusal = "connection refused"; // of "unreachable"
  std::string refusal_type;                   // content type of "unreachable": "text/plain; retry-after=900"
  std::vector<std::string> notes;             // in each answer
  // Requests for targets are held until so many are there; 0: none is.
  std::size_t gather = 0;
  bool one_at_a_time = false;                 // further requests for targets wait until the one before is answered
  [[nodiscard]] std::size_t most_at_once() const;

 private:
  struct Going {
    std::string path, bytes;
    std::uint64_t offset = 0, at = 0, end = 0, asked_index = 0;
    Trouble trouble;
    bool gathered = false;
  };
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override;
  void on_credit(bus::RequestId id, std::uint64_t bytes) override;
  void on_cancel(bus::RequestId id) override;
  void pump(bus::RequestId id);
  void end(bus::RequestId id);
  [[nodiscard]] bool waits(bus::RequestId id);

  mutable std::mutex mutex_;
  std::size_t most_at_once_ = 0;
  std::vector<Asked> asked_;
  std::vector<Trouble> troubles_;
  std::map<bus::RequestId, Going> going_;
  std::unique_ptr<bus::Peer> peer_;
  bus::Peer& own_peer();  // peer_ is not set yet while attach() returns, and no longer while it is destroyed
  std::atomic<bus::Peer*> bus_{nullptr};
};

// A plugin that demands components.
class FakeConsumer : private bus::Handler {
 public:
  FakeConsumer(bus::Router& router, std::string name);
  ~FakeConsumer() override;
  struct Seen {
    component::v1::ActivateRequest request;
    std::vector<std::string> files;      // of the set, when it was asked
  };
  [[nodiscard]] std::vector<Seen> seen() const;
  [[nodiscard]] bool wait_for(std::size_t count) const;
  // Empty: it loads. Returns the reason for a refusal; "crash" detaches without an answer, "hang" never answers, "pending" says that a restart will show, "over" that
  // it had loaded it and must not any more.
  std::function<std::string(const component::v1::ActivateRequest&)> judge;
  std::string name;

 private:
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Seen> seen_;
  std::vector<bus::RequestId> held_;
  std::unique_ptr<bus::Peer> peer_;
  bus::Peer& own_peer();
  std::atomic<bus::Peer*> bus_{nullptr};
};

class UpdateWorld {
 public:
  explicit UpdateWorld(std::filesystem::path folder);
  ~UpdateWorld();

  [[nodiscard]] Result<> open();     // the engine
  void close() { engine.reset(); }
  void write_root(const std::string& bytes) const;
  // {"sources":[...]} of these names, each answered by the peer of that name, and further members.
  bool sources_may_hold_back = false;  // from the next settings() on
  [[nodiscard]] Result<> settings(const std::vector<std::string>& sources, std::string_view more = "");

  template <class Reply, class Question>
  [[nodiscard]] Result<Reply> ask(std::string_view topic, const Question& question) {
    auto answer = caller->call({.topic = topic, .to = {}, .content_type = {}, .payload = question.SerializeAsString(), .timeout = std::chrono::seconds(60)});
    if (!answer) return fail(std::move(answer).error());
    Reply out;
    if (!out.ParseFromString(answer->payload)) return fail(Code::invalid, "answer does not parse");
    return out;
  }
  [[nodiscard]] update::v1::RunResult run(std::vector<std::string> components = {}, bool force = true);
  [[nodiscard]] update::v1::RunResult rollback(const std::string& component, unsigned steps = 1);
  [[nodiscard]] update::v1::StatusReply status();
  [[nodiscard]] update::v1::ComponentStatus status_of(std::string_view component);
  [[nodiscard]] std::string explain();
  void choose_variant(std::string_view variant);
  [[nodiscard]] std::string file_of(std::string_view component, std::string_view file) const;  // through the link

  std::filesystem::path folder;
  std::string own_component;   // taken by open()
  HandClock clock;
  std::unique_ptr<runtime::Executor> executor;
  std::unique_ptr<runtime::Timers> timers;
  std::unique_ptr<bus::Router> router;
  std::function<void(std::string_view)> at_step;
  std::mutex demands_mutex;
  std::vector<update::Demand> demands;
  std::vector<std::string> warnings;  // for the log; only while no run is going on
  std::unique_ptr<bus::Caller> caller;
  std::unique_ptr<update::Engine> engine;

 private:
  class Chooser;
  std::unique_ptr<Chooser> chooser_;
};

}  // namespace picket::support
