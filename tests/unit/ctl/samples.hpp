// Answers of a picketd that has something of everything.
#pragma once

#include "picket/host/v1/config.pb.h"
#include "picket/host/v1/host.pb.h"
#include "picket/host/v1/watch.pb.h"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/control.pb.h"
#include "picket/ksn/v1/state.pb.h"
#include "picket/policy/v1/policy.pb.h"
#include "picket/scan/v1/scan.pb.h"
#include "picket/task/v1/control.pb.h"
#include "picket/update/v1/report.pb.h"

namespace picket::test {

inline constexpr std::int64_t sample_now = 1'800'000'000;  // 2027-01-15 08:00:00Z

host::v1::HostStatusReply sample_host();
host::v1::PluginListReply sample_plugins();
host::v1::PluginInfoReply sample_plugin_info();
update::v1::StatusReply sample_updates();
update::v1::RunResult sample_run();
task::v1::ListReply sample_tasks();
ksn::v1::StatusReply sample_ksn();
ksn::v1::Statement sample_statement();
ksn::v1::CheckReply sample_checked();
ksn::v1::SoftwareReply sample_software();
policy::v1::ShowReply sample_policy();
policy::v1::ApplyReply sample_applied();
policy::v1::ExplainReply sample_explained();

}  // namespace picket::test
