#include <filesystem>

#include "base/bytes.hpp"
#include "ctl/command.hpp"
#include "ctl/progress_view.hpp"
#include "ctl/proto_json.hpp"
#include "picket/scan/v1/scan.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

Result<scan::v1::ScanRequest> request_of(Context& context) {
  scan::v1::ScanRequest request;
  for (const auto& argument : context.arguments()) {
    if (argument.empty()) return context.wrong_usage("'' is no path");
    std::error_code error;
    const auto path = std::filesystem::absolute(argument, error).lexically_normal();
    if (error) return fail(Code::invalid, cat(argument, ": ", error.message()));
    if (!is_valid_utf8(path.native())) return fail(Code::unsupported, cat(runtime::printable(argument), ": its name is not UTF-8; scan the folder it is in"));
    if (std::filesystem::symlink_status(path, error).type() == std::filesystem::file_type::not_found) return fail(Code::not_found, cat(argument, ": no such file or folder"));
    request.add_paths(path.native());
  }
  PICKET_LET(most, context.number("max-file-bytes", 0, std::uint64_t{1} << 60));
  request.set_max_file_bytes(most);
  return request;
}

// Who decided, where it was not a rule: that one has its name.
std::string decider(const scan::v1::Finding& finding) {
  if (finding.decided_by() == "database") return " (database)";
  if (finding.decided_by() == "ksn") return " (KSN)";
  return {};
}

void print_finding(Terminal& terminal, const scan::v1::Finding& finding) {
  std::string tags;
  for (const auto& tag : finding.tags()) tags += cat(tags.empty() ? " [" : ", ", tag);
  if (!finding.category().empty()) tags += cat(tags.empty() ? " [" : ", ", finding.category());
  terminal.out(cat(runtime::printable(finding.path()), ": ", terminal.styled(finding.suspected() ? Style::warning : Style::bad, runtime::printable(finding.rule())), decider(finding),
                   runtime::printable(tags), tags.empty() ? "" : "]", finding.description().empty() ? std::string() : cat(" ", runtime::printable(finding.description())), "\n"));
}

Exit exit_of(const scan::v1::ScanReply& reply) { return reply.findings() > 0 ? Exit::found : reply.skipped() + reply.suspected() > 0 ? Exit::partial : Exit::ok; }

}  // namespace

Result<Exit> scan(Context& context) {
  PICKET_LET(request, request_of(context));
  const bool as_json = context.is_json();
  json::array findings, skipped;
  ProgressView view(context.terminal, as_json);
  scan::v1::ScanReply reply;
  PICKET_TRY(context.session.follow("picket.scan.run", request, reply, [&](std::string_view payload) -> Result<> {
    scan::v1::ScanEvent event;
    if (!event.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return fail(Code::invalid, "the scanner's answer could not be read");
    if (event.has_progress()) {
      view.amount("scan", event.progress().bytes());
      return {};
    }
    view.interrupt();
    if (event.has_finding()) {
      if (as_json) findings.push_back(to_json(event.finding()));
      else print_finding(context.terminal, event.finding());
    } else if (event.has_skipped()) {
      if (as_json) skipped.push_back(to_json(event.skipped()));
      else context.terminal.err(cat(runtime::printable(event.skipped().path()), ": skipped: ", runtime::printable(event.skipped().why()), "\n"));
    }
    return {};
  }));
  view.interrupt();
  if (as_json) {
    context.print_json(json::object{{"findings", std::move(findings)}, {"skipped", std::move(skipped)}, {"summary", to_json(reply)}});
    return exit_of(reply);
  }
  const auto count = [](std::uint64_t number, const char* one, const char* many) { return cat(std::to_string(number), " ", number == 1 ? one : many); };
  auto& terminal = context.terminal;
  terminal.out(cat(count(reply.files(), "file", "files"), ", ", human_bytes(reply.bytes()), " scanned in ", std::to_string(reply.elapsed_ms()), " ms with release ",
                   std::to_string(reply.release()), reply.variant().empty() ? "" : " ", runtime::printable(reply.variant()),
                   reply.digests_release() == 0 ? std::string() : cat(" and digests ", std::to_string(reply.digests_release()), " ", runtime::printable(reply.digests_variant())), ": ",
                   terminal.styled(reply.findings() > 0 ? Style::bad : Style::good, count(reply.findings(), "finding", "findings")),
                   reply.skipped() > 0 ? cat(", ", std::to_string(reply.skipped()), " skipped") : std::string(),
                   reply.suppressed() > 0 ? cat(", ", count(reply.suppressed(), "file", "files"), " cleared as trusted") : std::string(),
                   reply.asked() > 0 ? cat(", KSN asked about ", std::to_string(reply.asked())) : std::string(), "\n"));
  if (reply.suspected() > 0)
    terminal.out(cat(terminal.styled(Style::warning, cat(count(reply.suspected(), "file is", "files are"), " suspected, not confirmed")),
                     reply.note().empty() ? std::string() : cat(": ", runtime::printable(reply.note())), "\n"));
  return exit_of(reply);
}

}  // namespace picket::ctl
