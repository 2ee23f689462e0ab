#include "conformance/host/host_fixture.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "package/manifest.hpp"
#include "trust/dsse.hpp"

namespace picket::test {

namespace fs = std::filesystem;

namespace {

fs::path temporary_folder() {
  std::string path = (fs::temp_directory_path() / "picket-host-XXXXXX").native();
  if (::mkdtemp(path.data()) == nullptr) std::abort();
  return path;
}

std::string must_read(const fs::path& path) {
  auto bytes = read_file(path, 512u << 20);
  if (!bytes) throw std::runtime_error(bytes.error().message);
  return *bytes;
}

void must_write(const fs::path& path, std::string_view bytes) {
  if (auto done = write_file_atomic(path, bytes, 0644); !done) throw std::runtime_error(done.error().message);
}

std::string default_topics(std::string_view id) {
  const bool is_bad = id.ends_with("bad");
  return cat(R"({"publishes":[{"topic":"test.event","kind":"event"},{"topic":")", is_bad ? "test.bad.state" : "test.good.state",
             R"(","kind":"state"}],"subscribes":["test.event"],"asks":["test.echo","test.c"],"answers":)",
             is_bad                ? R"(["test.bad"])"
             : id.ends_with("-c") ? R"(["test.c"])"
                                  : R"(["test.echo","test.events","test.starts","test.stream","test.timer","test.relay"])",
             "}");
}

}  // namespace

HostFixture::HostFixture() : root_(temporary_folder()), plugins_(root_ / "plugins") {
  fs::create_directory(plugins_);
  ::chmod(plugins_.c_str(), 0755);
  executor = runtime::Executor::make(3, milliseconds(200));
  timers = runtime::Timers::make();
  io = runtime::IoLoop::make("test-io");
  router = bus::Router::make(*executor, timers.get());
  runtime::LogOptions log_options;
  log_options.levels = "debug";
  log_options.sink = [this](runtime::Level, std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (lines_.size() < 100'000) lines_.emplace_back(line);
    changed_.notify_all();
  };
  log = std::move(runtime::Log::open(std::move(log_options)).value());
  key = std::make_unique<trust::PrivateKey>(trust::PrivateKey::generate("ed25519").value());
  bus::PeerOptions me;
  me.name = "test";
  me.allow.asks = {"*"};
  me.allow.subscribes = {"*"};
  me.allow.publishes = {{"test.event", bus::Kind::event}};
  caller = std::move(bus::Caller::attach(*router, std::move(me)).value());
  options.folders = {plugins_};
  options.child_program = PICKET_PLUGIN_HOST_PROGRAM;
  options.storage_dir = root_ / "storage";
  options.keys = {key->public_key()};
  options.restart = {milliseconds(20), milliseconds(100), 3, std::chrono::seconds(600)};
  // No plugin comes near these but one that hangs: its test sets a shorter one.
  options.trial_deadline = options.start_deadline = milliseconds(30'000);
  options.stop_deadline = milliseconds(20'000);
  options.ping_period = milliseconds(30'000);
}

HostFixture::~HostFixture() {
  stop();
  caller.reset();
  router.reset();
  io.reset();
  executor->stop(milliseconds(100));
  executor.reset();
  timers.reset();
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

fs::path HostFixture::install(const PackageSpec& spec) {
  // Another folder's library is named by its path.
  const auto library = must_read(spec.library[0] == '/' ? fs::path(spec.library) : fs::path(PICKET_BAD_PLUGINS) / (spec.library + ".so"));
  const auto folder = plugins_ / spec.id / spec.version;
  for (const auto& path : {plugins_ / spec.id, folder}) {
    fs::create_directory(path);
    ::chmod(path.c_str(), 0755);
  }
  const auto manifest = cat(R"({"manifest":1,"id":")", spec.id, R"(","version":")", spec.version, R"(","vendor":"test","file":"plugin.so","sha256":")",
                            sha256_hex(library), R"(","abi":{"major":1},"isolation":{"preferred":")", spec.preferred,
                            R"("},"limits":{"callback_ms":)", std::to_string(spec.callback_ms), R"(,"memory_mb":)", std::to_string(spec.memory_mb), spec.limits,
                            R"(},"topics":)", spec.topics.empty() ? default_topics(spec.id) : spec.topics, ",", spec.extra,
                            R"("settings_schema":{"type":"object"}})");
  must_write(folder / "plugin.so", library);
  must_write(folder / "plugin.json", manifest);
  trust::DsseEnvelope envelope;
  envelope.payload_type = package::kManifestPayloadType;
  envelope.payload = manifest;
  if (!envelope.sign(*key)) throw std::runtime_error("cannot sign");
  if (spec.sign) must_write(folder / "plugin.json.dsse", envelope.to_json());
  return folder;
}

plugin_host::Place HostFixture::install_apart(const PackageSpec& spec, const std::string& set) {
  const auto root = root_ / set;
  const auto from = install(spec);
  for (const auto& path : {root, root / spec.id}) {
    fs::create_directory(path);
    ::chmod(path.c_str(), 0755);
  }
  fs::rename(from, root / spec.id / spec.version);
  return {spec.id, spec.version, root};
}

fs::path HostFixture::install_neighbour() { return install({.library = "good_echo", .id = "org.picket.test.good-echo"}); }

void HostFixture::set_settings(const std::string& id, std::string json, std::uint64_t revision, plugin_host::TopicLimits topics) {
  const std::lock_guard lock(mutex_);
  settings_[id] = {std::move(json), revision, std::move(topics)};
}

void HostFixture::start(milliseconds limit) {
  const plugin_host::PluginHost::Parts parts{*router, *executor, *timers, *io, core::system_clock(), *log};
  host = plugin_host::PluginHost::make(
      options, parts,
      [this](const std::string& id, const std::string&) -> Result<plugin_host::Settings> {
        const std::lock_guard lock(mutex_);
        const auto found = settings_.find(id);
        return found == settings_.end() ? plugin_host::Settings{"{}", 1} : found->second;
      },
      [this](const plugin_host::Status& now) {
        const std::lock_guard lock(mutex_);
        lines_.push_back(cat(now.id, " ", to_string(now.state), ": ", now.text));
        changed_.notify_all();
      });
  host->choose(chosen);
  host->start(limit);
}

void HostFixture::stop() {
  if (host != nullptr) host->stop();
  host.reset();
}

plugin_host::Status HostFixture::status(const std::string& id) const {
  const auto info = host->info(id);
  if (!info) {
    ADD_FAILURE() << info.error().message;
    return {};
  }
  return info->status;
}

plugin_host::Status HostFixture::await(State state, const std::string& id, milliseconds limit) {
  return await([state](const auto& now) { return now.state == state; }, std::string(to_string(state)), id, limit);
}

plugin_host::Status HostFixture::await(const std::function<bool(const plugin_host::Status&)>& is_so, const std::string& what, const std::string& id,
                                       milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto now = status(id);
    if (is_so(now)) return now;
    std::unique_lock lock(mutex_);
    // A change between the look and the wait is seen after a moment.
    changed_.wait_for(lock, milliseconds(20));
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << id << " is not " << what << " but " << to_string(now.state) << ", " << to_string(now.health) << ": " << now.text;
      return now;
    }
  }
}

bool HostFixture::await_log(const std::string& part_of_line, milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] {
    return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) { return line.find(part_of_line) != std::string::npos; });
  });
}

Result<std::string> HostFixture::ask(const std::string& topic, const std::string& payload, milliseconds timeout, const std::string& to) {
  bus::Request request;
  request.topic = topic;
  request.to = to;
  request.payload = payload;
  request.timeout = timeout;
  PICKET_LET(reply, caller->call(request));
  return std::move(reply.payload);
}

bus::Status HostFixture::publish_event(const std::string& payload) { return caller->peer().publish("test.event", "", "", payload); }

void HostFixture::expect_neighbour_answers(int times) {
  for (int i = 0; i < times; ++i) {
    const auto text = cat("echo ", std::to_string(i));
    const auto answer = ask("test.echo", text);
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(*answer, text);
  }
}

}  // namespace picket::test
