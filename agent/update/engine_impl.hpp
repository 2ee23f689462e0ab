// The engine: its thread with the jobs, and its side of the bus.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <variant>

#include <picket/update/v1/sources.pb.h>

#include "storage/storage.hpp"
#include "update/history.hpp"
#include "update/run.hpp"
#include "update/update.hpp"

namespace picket::update {

class EngineImpl final : public Engine, private bus::Handler {
 public:
  static constexpr std::size_t kMaxJobs = 16;

  EngineImpl(Options options, Parts parts, storage::FolderLock lock, storage::Counters counters, SetStore sets, Ledger ledger, Downloads downloads, Steps steps);
  ~EngineImpl() override;
  [[nodiscard]] Result<> start();

  Result<> apply_settings(std::string_view settings_json) override;
  void plugin_started(const std::string& plugin_id) override;
  std::chrono::minutes interval() const override { return board_.settings().interval; }
  void runs_next(std::int64_t at) override { board_.set_next_run(at); }
  bool is_lacking() const override { return board_.is_lacking(parts_.demands()) && !sources_.want_to_be_left_alone(); }
  std::vector<Problem> problems() const override { return board_.problems(parts_.demands(), parts_.clock.wall_seconds()); }

 private:
  struct Asker {
    bus::RequestId id = 0;          // 0: nobody waits for the answer
  };
  struct RunJob { v1::RunRequest order; Asker asker; };
  struct RollbackJob { v1::RollbackRequest order; Asker asker; };
  struct ExportJob { v1::ExportRequest order; Asker asker; };
  struct VerdictJob { v1::VerdictRequest order; Asker asker; };
  struct RefusedJob { std::string component, set, plugin, why; bool over = false; };
  struct LoadedJob { std::string component, set, text; };
  using Job = std::variant<RunJob, RollbackJob, ExportJob, VerdictJob, RefusedJob, LoadedJob>;

  [[nodiscard]] static bus::RequestId asker_of(const Job& job) {
    return std::visit([](const auto& one) -> bus::RequestId {
      if constexpr (requires { one.asker; }) return one.asker.id;
      else return 0;
    }, job);
  }

  // bus::Handler, on the peer's strand.
  void on_message(const bus::MessagePtr& message) override;
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override;
  void on_reply(bus::Token token, bus::Status status, const bus::MessagePtr& message) override;
  void on_cancel(bus::RequestId id) override;
  template <class Message>
  void answer(bus::RequestId id, const Message& message, std::string_view type);
  void refuse(bus::RequestId id, Code code, std::string_view text);
  void answer_sources(bus::RequestId id, std::string_view asker, const v1::SourcesRequest& question);
  void take_outcome(bus::RequestId id, std::string_view asker, const v1::SourceOutcome& outcome);
  void enqueue(bus::RequestId id, Job job);

  // The engine's thread.
  void work();
  void perform(Job& job);
  void answer_result(const Asker& asker, const v1::RunResult& result);
  void publish_finished(const v1::RunResult& result);
  void hand_over_missed();
  [[nodiscard]] Workshop workshop();
  [[nodiscard]] std::vector<std::string> answerers() const;

  // Any thread.
  void hand_over(const std::string& plugin, const component::v1::ActiveSet& set);
  void announce(const component::v1::ActiveSet& set);

  const Options options_;
  const Parts parts_;
  const storage::FolderLock lock_;
  storage::Counters counters_;
  Steps steps_;
  SetStore sets_;
  Ledger ledger_;
  Downloads downloads_;
  History history_;
  Explain explain_;
  Sources sources_;
  Board board_;
  std::map<std::string, std::int64_t, std::less<>> checked_;
  std::string warned_of_;
  const std::string installation_;

  std::unique_ptr<bus::Caller> caller_;
  std::unique_ptr<bus::Peer> peer_;
  // What handlers use: peer_ itself is not set yet while attach() returns, and no longer while it is destroyed.
  [[nodiscard]] bus::Peer& own_peer() {
    bus_.wait(nullptr);
    return *bus_.load();
  }
  std::atomic<bus::Peer*> bus_{nullptr};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  bus::RequestId current_ = 0;                       // of the running job
  std::optional<core::CancelSource> current_cancel_;
  std::set<std::string> started_meanwhile_;          // plugins that came while a job ran
  struct HandOver { std::string plugin, component, set; };
  std::map<bus::Token, HandOver> hand_overs_;
  bus::Token next_token_ = 1;
  core::CancelSource shutdown_;

  std::thread thread_;
};

}  // namespace picket::update
