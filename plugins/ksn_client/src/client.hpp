// The whole client without the bus: settings, consent, directives and the parts that ask. Any thread, unless said.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/files.hpp"
#include "checker.hpp"
#include "consent.hpp"
#include "gate.hpp"
#include "ksn/provider.hpp"
#include "outbox.hpp"
#include "program.hpp"
#include "standing.hpp"
#include "worker.hpp"

namespace ksn_client {

class Client {
 public:
  struct Host {
    Keep keep;
    std::function<void(bool warning, std::string_view text)> log;
    std::function<void()> changed;     // the state may be another; not under a lock
    std::string version;
    std::function<std::int64_t()> now;  // Unix seconds
    Programs::Places places{};         // but for the authorities, which are a setting
  };
  [[nodiscard]] static Result<std::unique_ptr<Client>> start(Host host, Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The old settings stay in force when it fails.
  [[nodiscard]] Result<> apply(Settings settings);
  // Of the settings in force: objects of local lists and exclusions that nothing would match, and lists that were changed to something that is no
  // good. Empty: none.
  [[nodiscard]] std::string ignored() const {
    const std::lock_guard lock(mutex_);
    return cat(refused_lists_, refused_lists_.empty() || local_->ignored().empty() ? "" : "; ", local_->ignored());
  }

  // ---- asking
  void check(const v1::CheckRequest& request, std::chrono::milliseconds deadline, Checker::Done done);
  using SoftwareDone = std::function<void(Result<v1::SoftwareReply>)>;
  void software(std::string path, std::chrono::milliseconds deadline, SoftwareDone done);

  // ---- the user and the administrator
  [[nodiscard]] v1::StatusReply status();
  [[nodiscard]] v1::KsnState state();
  [[nodiscard]] Result<v1::StatementReply> statement(const std::string& language);
  [[nodiscard]] Result<v1::DecideReply> decide(const v1::DecideRequest& request);
  [[nodiscard]] Result<v1::SwitchReply> switch_to(const v1::SwitchRequest& request);
  // `done` once, perhaps before this returns: to look at what waits it may have to look at a file.
  void sent(v1::SentRequest::What what, std::function<void(Result<v1::SentReply>)> done);
  // Code::denied while KSN is off: nothing is sent without consent, not even this.
  void connection(std::chrono::milliseconds deadline, std::function<void(Result<v1::ConnectionReply>)> done);
  // directives.json of a release that was activated.
  [[nodiscard]] Result<> direct(const std::string& folder, std::uint64_t release);

 private:
  Client(Host host, std::unique_ptr<ksn_channel::Channel> channel);

  struct Derived {  // what settings lead to; made before anything changes
    Settings settings;
    std::shared_ptr<const LocalLists> local;
    std::vector<picket::FileStamp> lists_seen, files_seen;  // from before the files were read: what is written meanwhile is another one
    Result<picket::ksn::Provider> provider;
    std::string envelope;                                   // of the provider
    Result<std::string> proxy_certificate;
    std::string no_lists;                                   // why the local lists are not all there
    std::string refused;                                    // which of the files is no good, where the one before is in force
    [[nodiscard]] std::string trouble() const;              // what is no good, in one line; empty: nothing
  };
  [[nodiscard]] Result<Derived> derive(Settings settings) const;
  [[nodiscard]] Derived derive_at_start(Settings settings) const;  // local lists that are no good end nothing, but nobody is asked
  void put_in_force(Derived derived);
  [[nodiscard]] Derived read_provider(Settings settings) const;
  [[nodiscard]] static std::vector<std::string> files_of(const Settings& settings);  // the provider's and the proxy's certificate
  [[nodiscard]] std::string trouble() const;                   // of what is in force; under the lock
  void look_at_provider();                                     // it, or the proxy's certificate, came later than we did, or another one lies there
  void look_at_lists();                                        // one was changed
  [[nodiscard]] std::shared_ptr<Cache> open_cache(const Settings& settings, std::string_view owner);
  [[nodiscard]] std::vector<Way> ways_of(const Settings& settings, const picket::ksn::Provider& provider, const Result<std::string>& proxy_certificate,
                                         std::string& why_none) const;

  [[nodiscard]] Situation situation();
  void mind_the_clock(std::int64_t now);                       // it may have been set back; under the lock
  [[nodiscard]] std::int64_t greets_at() const;                // by itself, unless all roads rest; under the lock
  [[nodiscard]] std::string forbids(std::string_view what);   // why it may not be asked now
  void begin_anew();                                           // it went on, or got other roads, another licence or KSN: it is asked at once; under the lock
  [[nodiscard]] Line::Accept believes(Line::Accept accept);    // and remembers whether it does
  void attempted(const Way* way, std::string_view path, const Error* failure);
  std::size_t fall_silent(const std::string& why);             // what waits is thrown away
  void refresh();                                              // after consent, switch, settings or directives changed
  [[nodiscard]] bool consent_changed();                        // under the lock; true: KSN went off
  [[nodiscard]] Result<bool> read_kept();                      // what was decided, and directives; true: another decision. Under the lock
  void look_at_consent();                                      // a version of this plugin that runs beside this one may have been told something
  void look_at_outbox();                                       // where it could not be read at the start
  void name_asker();
  // A clock that was a day ahead or more: an id made by it would be kept for so much longer.
  [[nodiscard]] static bool is_of_later(std::int64_t made, std::int64_t now) { return made > now + 86'400; }
  [[nodiscard]] std::string next_message();                    // waits for the disk

  void run();                                                  // the ticker
  void greet();
  void send_from_outbox();
  void sent_from_outbox(const Outbox::Message& message, std::uint64_t beginnings, Result<> result, const v1::ContentReply* reply);
  [[nodiscard]] std::map<std::string, std::uint64_t> sums() const;

  static constexpr std::string_view kDirectives = "directives";  // where they are kept
  const Host host_;
  std::mutex applying_;       // settings come from the plugin's thread, and again from the ticker when a file came later
  std::mutex refreshing_;
  mutable std::mutex mutex_;  // the members up to the blank line
  Settings settings_;
  Consent consent_;
  Situation situation_;
  bool has_directives_ = false;                                // they were read, or handed over
  std::optional<picket::ksn::Provider> provider_;
  std::string envelope_, proxy_certificate_;                   // as they were read; empty: none
  std::vector<picket::FileStamp> files_seen_;                  // of the provider and the proxy's certificate, as they were looked at last, good or not
  std::shared_ptr<const Trust> trust_;
  std::shared_ptr<Cache> cache_;
  std::shared_ptr<const LocalLists> local_;
  std::vector<picket::FileStamp> lists_seen_;                  // the files of it, as they were looked at last
  std::string refused_lists_;
  std::string cache_owner_, whose_;                            // whose_: the provider's KSN and its keys
  std::string installation_;
  std::int64_t installation_made_ = 0;
  bool outbox_busy_ = false;
  bool unbelieved_ = false;                                    // the last answers were none of the provider's: a greeting is a question then
  std::uint64_t beginnings_ = 0;                               // how often it was begun anew
  std::uint64_t greeting_ = 0, greetings_ = 0;                 // the one that is under way, by its number; 0: none
  std::int64_t outbox_rests_until_ = 0, greet_at_ = 0, look_at_ = 0, next_attempt_ = 0;  // look_at_: at a provider file that is no good
  std::uint64_t exchanges_ = 0, failures_ = 0;
  double software_tokens_ = 0;
  std::chrono::steady_clock::time_point software_counted_{};
  bool stopping_ = false;
  bool wake_ = false;

  std::unique_ptr<ksn_channel::Channel> channel_;
  std::unique_ptr<Line> line_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Checker> checker_;
  std::shared_ptr<Programs> programs_;
  Worker worker_;
  Worker large_files_;  // so that nobody's small one waits for them
  std::condition_variable tick_;
  std::thread ticker_;
};

}  // namespace ksn_client
