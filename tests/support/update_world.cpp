#include "support/update_world.hpp"

#include <algorithm>

#include "base/files.hpp"

namespace picket::support {

namespace fs = std::filesystem;
using bus::status_of;

FakeSource::FakeSource(bus::Router& router, std::string name) {
  bus::PeerOptions options;
  options.name = std::move(name);
  options.allow.answers = {"picket.source.fetch"};
  peer_ = router.attach(std::move(options), *this).value();
  bus_.store(peer_.get());
  bus_.notify_all();
}

FakeSource::~FakeSource() { peer_.reset(); }

bus::Peer& FakeSource::own_peer() {
  bus_.wait(nullptr);
  return *bus_.load();
}

void FakeSource::serve(const UpdateRepository& repository) {
  const std::lock_guard lock(mutex_);
  files.clear();
  for (const auto& [name, bytes] : repository.tuf.files) files[cat("metadata/", name)] = bytes;
  for (const auto& [name, bytes] : repository.tuf.targets) files[cat("targets/", name)] = bytes;
}

std::vector<FakeSource::Asked> FakeSource::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::uint64_t FakeSource::sent_of(std::string_view path_part) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& one : asked_)
    if (one.path.find(path_part) != std::string::npos) sum += one.sent;
  return sum;
}

std::size_t FakeSource::most_at_once() const {
  const std::lock_guard lock(mutex_);
  return most_at_once_;
}

void FakeSource::forget_asked() {
  const std::lock_guard lock(mutex_);
  asked_.clear();
}

void FakeSource::make_trouble(Trouble trouble) {
  const std::lock_guard lock(mutex_);
  troubles_.push_back(std::move(trouble));
}

void FakeSource::no_trouble() {
  const std::lock_guard lock(mutex_);
  troubles_.clear();
}

void FakeSource::on_request(bus::RequestId id, const bus::MessagePtr& message) {
  source::v1::FetchRequest question;
  if (!question.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()))) {
    own_peer().respond(id, status_of(Code::invalid), "", "malformed");
    return;
  }
  Going going;
  going.path = question.path();
  going.offset = going.at = question.offset();
  using What = Trouble::What;
  {
    const std::lock_guard lock(mutex_);
    for (auto& trouble : troubles_)
      if (trouble.times > 0 && question.path().find(trouble.path_part) != std::string::npos) {
        --trouble.times;
        going.trouble = trouble;
        break;
      }
    going.asked_index = asked_.size();
    asked_.push_back({question.path(), question.offset(), question.max_bytes(), 0, question.connect_timeout_ms(), question.stall_timeout_ms()});
    const auto found = files.find(question.path());
    if (going.trouble.what == What::unreachable) return (void)own_peer().respond(id, status_of(Code::unavailable), refusal_type, refusal);
    if (going.trouble.what == What::denied) return (void)own_peer().respond(id, status_of(Code::denied), "", "403");
    if (found == files.end() || going.trouble.what == What::missing) return (void)own_peer().respond(id, status_of(Code::not_found), "", cat(question.path(), ": not found"));
    going.bytes = found->second;
  }
  if (going.trouble.what == What::cannot_resume) going.offset = going.at = 0;
  going.end = std::min<std::uint64_t>(going.bytes.size(), going.at + question.max_bytes());
  if (going.trouble.what == What::endless) {
    going.bytes.append(8u << 20, 'x');
    going.end = going.bytes.size();
  }
  if (going.trouble.what == What::flips && going.trouble.after < going.bytes.size()) going.bytes[going.trouble.after] ^= 1;
  const bool is_target = going.path.starts_with("targets/");
  going_.emplace(id, std::move(going));
  if (!is_target) return pump(id);
  std::size_t targets = 0;
  for (const auto& [other, one] : going_) targets += one.path.starts_with("targets/");
  {
    const std::lock_guard lock(mutex_);
    most_at_once_ = std::max(most_at_once_, targets);
  }
  if (gather > 0 && targets < gather) return;
  std::vector<bus::RequestId> all;
  for (auto& [other, one] : going_) {
    one.gathered = true;
    all.push_back(other);
  }
  for (const auto other : all) pump(other);
}

void FakeSource::end(bus::RequestId id) {
  going_.erase(id);
  if (one_at_a_time && !going_.empty()) pump(going_.begin()->first);
}

// Ids grow: the earliest comes first.
bool FakeSource::waits(bus::RequestId id) {
  const auto& mine = going_.at(id);
  if (!mine.path.starts_with("targets/")) return false;
  if (gather > 0 && !mine.gathered) return true;
  return one_at_a_time && std::ranges::any_of(going_, [&](const auto& other) { return other.first < id && other.second.path.starts_with("targets/"); });
}

void FakeSource::on_credit(bus::RequestId id, std::uint64_t) { pump(id); }
void FakeSource::on_cancel(bus::RequestId id) { end(id); }

void FakeSource::pump(bus::RequestId id) {
  const auto found = going_.find(id);
  if (found == going_.end() || waits(id)) return;
  auto& going = found->second;
  using What = Trouble::What;
  const auto what = going.trouble.what;
  while (going.at < going.end) {
    const auto sent = going.at - going.offset;
    if ((what == What::dies || what == What::silent || what == What::vanishes) && sent >= going.trouble.after) {
      if (what == What::silent) return;
      end(id);
      return (void)own_peer().respond(id, status_of(what == What::dies ? Code::unavailable : Code::not_found), "", "connection reset by peer");
    }
    auto size = std::min<std::uint64_t>({going.end - going.at, chunk_size, own_peer().credit(id)});
    if ((what == What::dies || what == What::silent || what == What::vanishes)) size = std::min(size, going.trouble.after - sent);
    if (size == 0) return;
    if (before_chunk) before_chunk(going.path, sent);
    const auto status = own_peer().stream_write(id, std::string_view(going.bytes).substr(going.at, size));
    if (status == status_of(Code::busy)) return;
    if (status != bus::kOk) return end(id);
    going.at += size;
    const std::lock_guard lock(mutex_);
    asked_[going.asked_index].sent += size;
  }
  source::v1::FetchReply reply;
  reply.set_sent(going.at - going.offset + (what == What::lies_about_sent ? 1 : 0));
  reply.set_offset(going.offset);
  reply.set_size(what == What::endless ? 0 : going.bytes.size());
  reply.set_from(cat("fake:", going.path));
  for (const auto& note : notes) reply.add_notes(note);
  own_peer().respond(id, bus::kOk, "", reply.SerializeAsString());
  end(id);
}

FakeConsumer::FakeConsumer(bus::Router& router, std::string name_) : name(std::move(name_)) {
  bus::PeerOptions options;
  options.name = name;
  options.allow.answers = {"picket.component.activate"};
  peer_ = router.attach(std::move(options), *this).value();
  bus_.store(peer_.get());
  bus_.notify_all();
}

FakeConsumer::~FakeConsumer() { peer_.reset(); }

bus::Peer& FakeConsumer::own_peer() {
  bus_.wait(nullptr);
  return *bus_.load();
}

std::vector<FakeConsumer::Seen> FakeConsumer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

bool FakeConsumer::wait_for(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return seen_.size() >= count; });
}

void FakeConsumer::on_request(bus::RequestId id, const bus::MessagePtr& message) {
  Seen seen;
  seen.request.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()));
  std::error_code error;
  for (fs::recursive_directory_iterator at(seen.request.set().path(), error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file()) seen.files.push_back(fs::relative(at->path(), seen.request.set().path()).native());
  std::ranges::sort(seen.files);
  const auto verdict = judge ? judge(seen.request) : std::string();
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back(std::move(seen));
    if (verdict == "hang") held_.push_back(id);
  }
  changed_.notify_all();
  if (verdict == "hang") return;
  if (verdict == "over") return (void)own_peer().respond(id, status_of(Code::expired), "", "it was taken back");
  if (verdict == "crash") return (void)own_peer().respond(id, status_of(Code::unavailable), "", "the plugin crashed");
  component::v1::ActivateReply reply;
  reply.set_text("2 rules");
  if (verdict == "pending") {
    reply.set_text("known after a restart");
    reply.set_pending(true);
  }
  if (verdict.empty() || verdict == "pending") own_peer().respond(id, bus::kOk, "", reply.SerializeAsString());
  else own_peer().respond(id, status_of(Code::invalid), "", verdict);
}

class UpdateWorld::Chooser : public bus::Handler {
 public:
  explicit Chooser(bus::Router& router) {
    bus::PeerOptions options;
    options.name = "chooser";
    options.allow.publishes = {{"picket.update.variant", bus::Kind::state}};
    peer = router.attach(std::move(options), *this).value();
  }
  ~Chooser() override { peer.reset(); }
  std::unique_ptr<bus::Peer> peer;
};

UpdateWorld::UpdateWorld(fs::path folder_) : folder(std::move(folder_)), executor(runtime::Executor::make(2)), timers(runtime::Timers::make()), router(bus::Router::make(*executor)) {
  bus::PeerOptions options;
  options.name = "picketctl";
  options.allow.asks = {"picket.*"};
  caller = bus::Caller::attach(*router, std::move(options)).value();
  chooser_ = std::make_unique<Chooser>(*router);
}

UpdateWorld::~UpdateWorld() {
  engine.reset();
  chooser_.reset();
  caller.reset();
}

void UpdateWorld::write_root(const std::string& bytes) const { (void)write_file_atomic(folder / "root.json", bytes); }

Result<> UpdateWorld::open() {
  update::Options options;
  options.data_dir = folder / "data";
  options.root_file = folder / "root.json";
  options.agent_version = "1.0.0";
  options.own_component = own_component;
  options.at_step = at_step;
  auto opened = update::Engine::open(std::move(options), {*router, clock, [this] {
    const std::lock_guard lock(demands_mutex);
    return demands;
  }, [this](std::string_view line) { warnings.emplace_back(line); }});
  if (!opened) return fail(std::move(opened).error());
  engine = std::move(*opened);
  return {};
}

Result<> UpdateWorld::settings(const std::vector<std::string>& sources, std::string_view more) {
  std::string list;
  for (const auto& name : sources) list += cat(list.empty() ? "" : ",", R"({"name":")", name, R"(","plugin":")", name, R"(","location":"nowhere","may_hold_back":)", sources_may_hold_back ? "true" : "false", "}");
  return engine->apply_settings(cat(R"({"interval_minutes":0,"verify_stored_hours":0,"sources":[)", list, "]", more.empty() ? "" : ",", more, "}"));
}

update::v1::RunResult UpdateWorld::run(std::vector<std::string> components, bool force) {
  update::v1::RunRequest order;
  for (auto& component : components) order.add_components(std::move(component));
  order.set_force_check(force);
  auto result = ask<update::v1::RunResult>("picket.update.run", order);
  if (result) return *result;
  update::v1::RunResult failed;
  failed.set_result("no answer");
  failed.set_text(result.error().message);
  return failed;
}

update::v1::RunResult UpdateWorld::rollback(const std::string& component, unsigned steps) {
  update::v1::RollbackRequest order;
  order.set_component(component);
  order.set_steps(steps);
  auto result = ask<update::v1::RunResult>("picket.update.rollback", order);
  if (result) return *result;
  update::v1::RunResult failed;
  failed.set_result("no answer");
  failed.set_text(result.error().message);
  return failed;
}

update::v1::StatusReply UpdateWorld::status() { return ask<update::v1::StatusReply>("picket.update.status", update::v1::StatusRequest()).value_or(update::v1::StatusReply()); }

update::v1::ComponentStatus UpdateWorld::status_of(std::string_view component) {
  const auto all = status();
  for (const auto& one : all.components())
    if (one.component() == component) return one;
  return {};
}

std::string UpdateWorld::explain() {
  auto reply = ask<update::v1::ExplainReply>("picket.update.explain", update::v1::ExplainRequest());
  std::string out;
  if (reply)
    for (const auto& step : reply->steps()) out += cat(step.component(), "|", step.source(), "|", step.file(), "|", step.decision(), "\n");
  return out;
}

void UpdateWorld::choose_variant(std::string_view variant) {
  update::v1::VariantChoice choice;
  choice.set_variant(std::string(variant));
  choice.set_reason("the test says so");
  (void)chooser_->peer->publish("picket.update.variant", "", "", choice.SerializeAsString());
}

std::string UpdateWorld::file_of(std::string_view component, std::string_view file) const {
  return read_file(folder / "data" / "sets" / component / "current" / file, 64u << 20).value_or("");
}

}  // namespace picket::support
