#include "app/control_socket.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "bus/wire/server.hpp"

namespace picket::app {
namespace {

bool is_member(std::uint32_t uid, std::uint32_t gid, std::uint32_t group) {
  if (gid == group) return true;
  passwd entry{}, *user = nullptr;
  std::vector<char> text(16384);
  if (::getpwuid_r(uid, &entry, text.data(), text.size(), &user) != 0 || user == nullptr) return false;
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) < 0) return false;
  groups.resize(static_cast<std::size_t>(count));
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

Result<std::optional<std::uint32_t>> group_id(const std::string& name) {
  if (name.empty()) return std::nullopt;
  group entry{}, *found = nullptr;
  std::vector<char> text(65536);
  if (::getgrnam_r(name.c_str(), &entry, text.data(), text.size(), &found) != 0 || found == nullptr)
    return fail(Code::not_found, cat("socket-group: there is no group '", name, "'"));
  return std::optional<std::uint32_t>(found->gr_gid);
}

// picketctl asks and watches; it publishes nothing and answers nothing. What only picketd's own parts may ask it may not (its standing).
bus::AllowList for_picketctl() { return {.publishes = {}, .subscribes = {"*"}, .answers = {}, .asks = {"picket.*"}}; }

class Listening final : public ControlSocket {
 public:
  explicit Listening(std::unique_ptr<bus::wire::Server> server) : server_(std::move(server)) {}

 private:
  const std::unique_ptr<bus::wire::Server> server_;
};

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const Config& config, bus::Router& router, runtime::IoLoop& io, runtime::LogPart log) {
  PICKET_LET(group, group_id(config.socket_group));
  bus::wire::ServerOptions options;
  options.path = config.socket();
  options.group = group;
  options.mode = group ? 0660 : 0600;
  options.allow = [group, log](const bus::wire::PeerCredentials& caller) -> Result<bus::AllowList> {
    if (caller.uid == 0 || caller.uid == ::geteuid() || (group && is_member(caller.uid, caller.gid, *group))) return for_picketctl();
    log.warning("refused a connection of user ", caller.uid, ", process ", caller.pid);
    return fail(Code::denied, "only root, picketd's own user and members of socket-group may talk with picketd");
  };
  // Of whom the kernel says that it is another user than root and picketd's own: plugins may write it down.
  options.name = [](const bus::wire::PeerCredentials& caller) {
    return caller.uid == 0 || caller.uid == ::geteuid() ? std::string("picketctl") : cat("picketctl@", std::to_string(caller.uid));
  };
  PICKET_LET(server, bus::wire::Server::start(router, io, std::move(options)));
  return std::make_unique<Listening>(std::move(server));
}

}  // namespace picket::app
