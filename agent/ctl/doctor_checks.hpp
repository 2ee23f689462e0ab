// What `picketctl doctor` looks at: each check is a line that says ok, warn or fail, and why.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "picket/host/v1/config.pb.h"
#include "picket/host/v1/host.pb.h"
#include "picket/policy/v1/policy.pb.h"
#include "picket/update/v1/report.pb.h"

namespace picket::ctl {

struct Check {
  std::string name;
  std::string result;  // ok, warn, fail
  std::string text;
};
using Checks = std::vector<Check>;

void check_host(Checks& checks, const host::v1::HostStatusReply& host, std::int64_t now);
void check_data_dir(Checks& checks, const std::string& data_dir);
// is_updated: something here comes in updates, so that their root must be there.
void check_keys(Checks& checks, const host::v1::HostConfigReply& config, bool is_updated);
void check_plugins(Checks& checks, const host::v1::PluginListReply& plugins);
[[nodiscard]] bool has_updates(const update::v1::StatusReply& updates);
// plugins: nullptr when they could not be asked for.
void check_updates(Checks& checks, const update::v1::StatusReply& updates, const host::v1::PluginListReply* plugins, std::int64_t now);
void check_policy(Checks& checks, const policy::v1::ShowReply& policy, std::int64_t now);

}  // namespace picket::ctl
