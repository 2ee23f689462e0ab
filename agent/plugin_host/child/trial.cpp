#include "plugin_host/child/trial.hpp"

#include <memory>

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/listed.hpp"
#include "isolation/sandbox.hpp"
#include "package/elf.hpp"
#include "plugin_host/library.hpp"
#include "plugin_host/plugin_calls.hpp"
#include "runtime/timers.hpp"

namespace picket::plugin_host::child {

namespace {

// Nobody is there: logs are shown, everything else is denied by the closed tables before it comes here.
class NoCalls final : public HostCalls {
 public:
  void log(std::int32_t, std::string_view text) override { std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data()); }
  bus::Status publish(std::string_view, std::string_view, std::string_view, std::string_view) override { return denied; }
  bus::Status subscribe(std::string_view) override { return denied; }
  bus::Status unsubscribe(std::string_view) override { return denied; }
  bus::Status request(const OutgoingRequest&) override { return denied; }
  bus::Status grant(std::uint64_t, std::uint64_t) override { return denied; }
  bus::Status cancel(std::uint64_t) override { return denied; }
  bus::Status respond(std::uint64_t, bus::Status, std::string_view, std::string_view) override { return denied; }
  bus::Status stream_write(std::uint64_t, std::string_view) override { return denied; }
  bus::Status observed(std::uint64_t, std::int32_t, std::string_view) override { return denied; }
  bus::Status report(std::int32_t, std::string_view) override { return denied; }
  bus::Status storage_get(std::string_view, const Sink&) override { return denied; }
  bus::Status storage_put(std::string_view, std::string_view) override { return denied; }
  bus::Status storage_remove(std::string_view) override { return denied; }
  bus::Status storage_list(const Sink&) override { return denied; }
  bus::Status timer_set(std::uint64_t, std::uint64_t, std::uint64_t) override { return denied; }
  bus::Status timer_cancel(std::uint64_t) override { return denied; }

 private:
  static constexpr bus::Status denied = bus::status_of(Code::denied);
};

class Mapping {
 public:
  static Result<Mapping> of(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return fail_errno("stat");
    void* bytes = ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return fail_errno("map");
    return Mapping(bytes, static_cast<std::size_t>(info.st_size));
  }
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)), size_(other.size_) {}
  ~Mapping() {
    if (bytes_ != nullptr) ::munmap(bytes_, size_);
  }
  [[nodiscard]] std::string_view view() const { return {static_cast<const char*>(bytes_), size_}; }

 private:
  Mapping(void* bytes, std::size_t size) : bytes_(bytes), size_(size) {}
  void* bytes_;
  std::size_t size_;
};

}  // namespace

Result<> inspect_library(int library, bool in_process) {
  PICKET_LET(file, Mapping::of(library));
  PICKET_LET(facts, package::read_elf(file.view()));
  const auto rules = package::broken_rules(facts, in_process);
  if (rules.empty()) return {};
  return fail(Code::invalid, listed(rules, "; "));
}

Result<> try_library(UniqueFd library, const std::string& id, bool in_process) {
  PICKET_TRY(inspect_library(library.get(), in_process));
  PICKET_TRY(isolation::sandbox_before_load());
  PICKET_LET(entry, load_library(std::move(library)));
  const auto timers = runtime::Timers::make();
  CallWatch watch(*timers, std::chrono::hours(1), [](const char*, std::chrono::milliseconds) {});
  const auto make = [&](const std::string& wanted) {
    return PluginCalls::create(*entry, wanted, std::make_shared<HostTables>(std::make_shared<NoCalls>(), known_extensions()), watch);
  };
  if (auto wrong = make("org.picket.not-" + id); wrong) return fail(Code::invalid, "makes an instance for an id that is not its own");
  PICKET_LET(plugin, make(id));
  plugin->destroy();
  return {};
}

}  // namespace picket::plugin_host::child
