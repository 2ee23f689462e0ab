#include "update/what_is_sent.hpp"

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/machine.hpp"

namespace picket::update {

std::string installation_id(const std::filesystem::path& data_dir, std::string_view machine) {
  const auto file = data_dir / "installation-id";
  const auto kept = read_file(file, 64).value_or("");
  const auto mark = kept.size() > 32 ? kept.substr(33) : std::string();
  auto id = kept.substr(0, 32);
  const bool is_ours = id.size() == 32 && from_hex(id) && is_of_this_machine(mark, machine);
  if (is_ours && (mark == machine || machine.empty())) return id;
  if (!is_ours) id = to_hex(random_bytes(16));
  (void)write_file_atomic(file, machine.empty() ? id : cat(id, " ", machine));
  return id;
}

Told told_servers(const Options& options, const Settings& settings, const std::string& installation, std::uint64_t run) {
  Told out;
  out.version = options.agent_version;
  out.installation = installation;
  out.licence_key = settings.licence_key_id;
  out.run = std::to_string(run);
  return out;
}

v1::WhatIsSentReply what_is_sent(const Options& options, const Settings& settings, const std::string& installation, std::uint64_t next_run) {
  const auto told = told_servers(options, settings, installation, next_run);
  v1::WhatIsSentReply out;
  out.set_on(settings.tell_servers);
  const auto add = [&](std::string_view name, std::string value, std::string_view meaning) {
    auto& item = *out.add_items();
    item.set_name(std::string(name));
    item.set_value(std::move(value));
    item.set_meaning(std::string(meaning));
  };
  add("application", cat(told.application, "/", told.version), "which program downloads, and its version");
  add("installation", told.installation, "drawn when it was installed; says nothing of this computer or its users");
  add("licence", told.licence_key.empty() ? "-" : told.licence_key, "id of the licence key in use (setting licence_key_id), not the key");
  add("run", told.run, "this of the next update; a distribution point on this computer sends the number of its task's run, or else the second in which its download began");
  if (settings.tell_servers) out.set_user_agent(user_agent(told));
  return out;
}

}  // namespace picket::update
