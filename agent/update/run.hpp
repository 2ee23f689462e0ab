// One update or one rollback, top to bottom, on the engine's thread: check -> plan -> fetch -> verify -> stage -> activate -> confirm.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <picket/update/v1/update.pb.h>

#include "bus/caller.hpp"
#include "core/cancel.hpp"
#include "storage/counters.hpp"
#include "trust/folder_repository.hpp"
#include "trust/held_back.hpp"
#include "update/activate.hpp"
#include "update/board.hpp"
#include "update/catalogue.hpp"
#include "update/consumers.hpp"
#include "update/downloads.hpp"
#include "update/explain.hpp"
#include "update/plan.hpp"
#include "update/road.hpp"
#include "update/sources.hpp"

namespace picket::update {

// All that a run works with; belongs to the engine.
struct Workshop {
  const Options& options;
  const core::Clock& clock;
  const Steps& steps;
  bus::Caller& caller;
  SetStore& sets;
  Ledger& ledger;
  Downloads& downloads;
  storage::Counters& counters;
  Sources& sources;
  Explain& explain;
  Board& board;
  std::function<std::vector<Demand>()> demands;
  std::function<std::vector<std::string>()> answerers;            // of picket.component.activate, now
  std::function<void(const component::v1::ActiveSet&)> announce;  // publishes picket.component.active
  const std::function<void(std::string_view)>& warn;              // into the log; may be empty
  std::string& warned_of;                                         // what the log was told of names that nobody knows
  std::map<std::string, std::int64_t, std::less<>>& checked;      // component -> when its stored files were last read again
  std::string installation;                                       // the id that servers are told
  core::CancelToken shutdown;                                     // also ends what a user's cancel does not
};

class Run {
 public:
  using Progress = std::function<void(const v1::Progress&)>;

  Run(Workshop& shop, Progress progress, core::CancelToken cancel);

  // What an order asks for must be there to be had; the rest only the run itself can find out.
  [[nodiscard]] Result<> check_order(const v1::RunRequest& order) const;
  [[nodiscard]] Result<> check_order(const v1::RollbackRequest& order) const;
  [[nodiscard]] v1::RunResult update(const v1::RunRequest& order);
  [[nodiscard]] v1::RunResult rollback(const v1::RollbackRequest& order);
  // What came of a trial. `tell_all` gets the result of one that passed before the trial is over: after a power cut it is told again rather than never.
  [[nodiscard]] v1::RunResult verdict(const v1::VerdictRequest& order, const std::function<void(const v1::RunResult&)>& tell_all);
  [[nodiscard]] v1::RunResult export_to(const v1::ExportRequest& order);
  // A plugin could not use the set in force when it started. Goes back if nobody else could either, or if it is `over` with this set, which was
  // good before. The result is for the history; nullopt: nothing changed.
  [[nodiscard]] std::optional<v1::RunResult> refused_at_start(const std::string& component, const std::string& set, const std::string& plugin, const std::string& why, bool over);
  // A set of the agent itself that was known to be good only after a restart.
  [[nodiscard]] std::optional<v1::RunResult> loaded_at_start(const std::string& component, const std::string& set, const std::string& text);
  // Puts what is in force on the board and on the bus.
  void show(const std::string& component, bool announce);
  void set_decided_for(const std::string& component, std::string variant);  // empty: the next update decides

 private:
  [[nodiscard]] std::vector<std::string> wishes(const v1::RunRequest& order, v1::RunResult& result);
  [[nodiscard]] bool check(const v1::RunRequest& order, v1::RunResult& result);
  void warn_of_unknown_names();
  // Any thread. Once a run: the source would else rest the longer, the more components and files there are.
  void blame(const SourceReader& reader, std::string_view why);
  [[nodiscard]] bool use_what_was_fetched(const std::vector<std::string>& wanted, v1::RunResult& result);
  // The order in which components get their turn, in run_ahead.cpp.
  using Readers = std::vector<std::unique_ptr<SourceReader>>;
  // A component from its plan to its end.
  struct Turn {
    Turn(std::string name, v1::ComponentResult& result) : component(std::move(name)), out(result) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { join(); }
    void join() {
      if (thread.joinable()) thread.join();  // what ends the run ends its fetches
    }

    std::string component;
    v1::ComponentResult& out;
    std::optional<SetInfo> active;
    Catalogue::Offer offer;
    std::optional<Plan> plan;  // points into the offer; none: `out` says why
    std::string note;          // what the status says of it when nothing failed: an obstacle to what is newer

    // What is fetched ahead. The thread has these for itself until it is joined.
    struct File {
      const trust::Delta* delta = nullptr;  // none: the full file of the planned release
      Wanted wanted;
    };
    std::vector<File> files;
    Readers readers;
    std::map<std::string, Result<std::filesystem::path>, std::less<>> brought;
    std::thread thread;
  };
  void take_turns(const std::vector<std::string>& wanted, v1::RunResult& result);
  [[nodiscard]] Result<Catalogue::Offer> offer_of(const std::string& component);
  [[nodiscard]] std::unique_ptr<Turn> plan_turn(const std::string& component, v1::ComponentResult& out);
  void fetch_ahead(Turn& turn);
  void bring_files(Turn& turn);
  void finish_turn(Turn& turn);
  void carry_out(Turn& turn);
  void install_best(Turn& turn);
  [[nodiscard]] std::optional<Result<std::filesystem::path>> brought_ahead(const Wanted& wanted);
  // Nobody needs it: a repository without it is no failure.
  [[nodiscard]] bool is_optional(std::string_view component) const;
  [[nodiscard]] Plan plan_of(const std::string& component, const std::vector<trust::Release>& offered, const std::string& agent_version) const;
  [[nodiscard]] Plan plan_of(const std::string& component, const std::vector<trust::Release>& offered) const { return plan_of(component, offered, shop_.options.agent_version); }
  [[nodiscard]] bool is_stored(const trust::Release& release) const;
  void leave_declined(Turn& turn);
  [[nodiscard]] Result<> remove_declined(const std::string& component);
  [[nodiscard]] Result<> install(const std::string& component, const trust::Release& release, const Catalogue::Offer& offer, v1::ComponentResult& out);
  [[nodiscard]] Result<> adopt(const SetInfo& info);
  [[nodiscard]] Result<SetInfo> install_full(const trust::Release& release, const Wanted& wanted);
  [[nodiscard]] std::optional<SetInfo> install_by_deltas(const trust::Release& release, const Catalogue::Offer& offer, const Wanted& full);
  struct DeltaFailure {
    Error error;
    bool is_final = false;   // the delta's own fault: it is not tried again
  };
  [[nodiscard]] tl::expected<SetInfo, DeltaFailure> apply_road(const trust::Release& release, const Road& road, const std::filesystem::path& set);
  [[nodiscard]] Road road_of(const trust::Release& release, const Catalogue::Offer& offer, const Wanted& full) const;
  // These may run on several threads at once, each with readers of its own, never two for the same file.
  [[nodiscard]] Result<std::filesystem::path> fetch(const trust::Release& release, const Wanted& wanted, const Readers& readers);
  [[nodiscard]] Result<std::filesystem::path> fetch_delta(const trust::Delta& delta, const Wanted& wanted, const Readers& readers);
  // The full file of a release; or a delta (no release): from the source in use alone, which is not blamed for lacking it. Code::not_found: every source was
  // asked, and none has it, or one holds the release back.
  [[nodiscard]] Result<std::filesystem::path> bring(const std::string& component, const Wanted& wanted, std::optional<std::int64_t> release, const Readers& readers);
  // Whether the source says that it holds the release back on purpose, is believed, and it is not what is in force and damaged, or wanted for a copy; any thread.
  [[nodiscard]] bool holds_back(SourceReader& reader, const std::string& component, std::int64_t release);
  void note_in_force(const SetInfo& set) {
    const std::lock_guard lock(holding_);
    in_force_[set.component] = set.release;
  }
  // Whether that is why it could not be had.
  [[nodiscard]] bool was_held(std::string_view component, std::int64_t release) {
    const std::lock_guard lock(holding_);
    return trust::holds_back(held_, component, release);
  }
  [[nodiscard]] std::optional<std::filesystem::path> brought_earlier(const std::string& component, const Wanted& wanted);
  [[nodiscard]] Result<> activate(const std::string& component, const SetInfo& info, Activation::Why why, v1::ComponentResult& out);
  void go_back(const std::string& component, const std::string& bad_set, const std::string& to, const Refusal& refusal);
  // Of a verdict, in run_trial.cpp.
  [[nodiscard]] std::vector<std::string> on_trial(const v1::VerdictRequest& order) const;
  [[nodiscard]] Result<> take_back(const std::string& component, const std::string& refused_why);
  [[nodiscard]] bool is_damaged(const std::string& component);
  void forget_rollback(const std::string& component);
  void tidy(const std::vector<std::string>& components, bool all);
  // Of an export, in run_export.cpp.
  [[nodiscard]] Result<> open_stored();
  void open_readers();
  [[nodiscard]] Result<std::vector<std::string>> components_to_export(const v1::ExportRequest& order) const;
  struct Archive {
    trust::Release release;
    Wanted wanted;
    trust::TargetCopy copy;
    std::set<std::int64_t> held;  // newer ones that are not wanted here
  };
  [[nodiscard]] Result<Archive> archive_of(const std::string& component, v1::ComponentResult& out);
  void add_older_roots(std::vector<trust::MetadataFile>& metadata);
  [[nodiscard]] Result<> export_all(const v1::ExportRequest& order, std::vector<Archive>& archives, v1::RunResult& result);
  void begin(v1::RunResult& result, std::string_view kind);
  void number(v1::RunResult& result, std::string_view kind);  // one that goes on with what an earlier one explained
  void finish(v1::RunResult& result);
  [[nodiscard]] std::vector<std::string> running_consumers(std::string_view component);
  [[nodiscard]] component::v1::ActiveSet describe(const std::string& component) const;
  // Of one source more.
  static void add_failure(std::string& failures, std::string_view source, std::string_view why);
  void tell(std::string_view step, std::string_view component, std::string_view text, std::uint64_t done = 0, std::uint64_t total = 0);
  [[nodiscard]] std::uint64_t bytes_received() const;

  Workshop& shop_;
  Progress progress_;
  core::CancelToken cancel_;
  Settings settings_;
  std::string variant_;
  Activation activation_;
  Consumers consumers_;
  std::unique_ptr<Catalogue> catalogue_;
  Readers readers_;  // all that may be tried, the one that worked first
  std::mutex blaming_;
  std::set<std::string, std::less<>> failed_;  // sources that were blamed in this run
  std::mutex holding_;             // of the next three
  std::map<std::string, std::uint64_t, std::less<>> in_force_;   // component -> release
  std::map<std::string, trust::HeldBack, std::less<>> held_by_;  // sources, as far as they were asked
  trust::HeldBack held_;           // what could not be had for that
  std::uint64_t bytes_ahead_ = 0;  // received by other readers
  std::deque<std::unique_ptr<Turn>> turns_;  // the first one's turn it is
  std::set<std::string, std::less<>> wanted_keys_;
  std::mutex telling_;
  std::string pending_text_;  // why what was activated last is not confirmed yet
  bool only_fetch_ = false;   // nothing is put in force
  Activation::Why why_ = Activation::Why::update;  // or a trial
  bool offline_ = false;      // no source works: only what was fetched in advance can be taken
};

}  // namespace picket::update
