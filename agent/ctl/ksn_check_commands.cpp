// picketctl ksn check and ksn software: what is known of files, web addresses and programs.
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/listed.hpp"
#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "ksn/check.hpp"
#include "picket/ksn/v1/check.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

using ksn::v1::Checked;

constexpr const char* kEmptyName = "an empty name names nothing";

std::string_view verdict(ksn::v1::Verdict value) {
  switch (value) {
    case ksn::v1::VERDICT_TRUSTED: return "trusted";
    case ksn::v1::VERDICT_ABUSABLE: return "legitimate, but abusable";
    case ksn::v1::VERDICT_UNTRUSTED: return "untrusted";
    default: return "unknown";
  }
}
Style style_of_verdict(ksn::v1::Verdict value) {
  return value == ksn::v1::VERDICT_TRUSTED ? Style::good : value == ksn::v1::VERDICT_UNTRUSTED ? Style::bad : value == ksn::v1::VERDICT_ABUSABLE ? Style::warning : Style::plain;
}
std::string_view from(ksn::v1::Checked::From value) {
  switch (value) {
    case ksn::v1::Checked::LOCAL: return "local list";
    case ksn::v1::Checked::CACHE: return "cache";
    case ksn::v1::Checked::PROXY: return "proxy";
    case ksn::v1::Checked::SERVER: return "server";
    default: return "nobody";
  }
}
std::string frequency(std::uint64_t popularity) {
  if (popularity == 0) return "not known";
  const std::string_view word = popularity < 100 ? "very rare" : popularity < 1000 ? "rare" : popularity > 100'000 ? "frequent" : "common";
  return cat(std::to_string(popularity), " users (", word, ")");
}

std::string_view trust_group(ksn::v1::TrustGroup value) {
  switch (value) {
    case ksn::v1::TRUST_GROUP_TRUSTED: return "trusted";
    case ksn::v1::TRUST_GROUP_LOW_RESTRICTED: return "low restricted";
    case ksn::v1::TRUST_GROUP_HIGH_RESTRICTED: return "high restricted";
    case ksn::v1::TRUST_GROUP_UNTRUSTED: return "untrusted";
    default: return "not known";
  }
}
std::string_view signature(ksn::v1::Signature value) {
  switch (value) {
    case ksn::v1::SIGNATURE_VALID: return "valid";
    case ksn::v1::SIGNATURE_NONE: return "it is not signed";
    case ksn::v1::SIGNATURE_INVALID: return "invalid";
    default: return "not known";
  }
}

// A large file takes minutes: Ctrl-C ends it in the middle.
Result<std::string> digest_of_file(const std::string& path, const core::CancelToken& cancel) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(path);
  Digest digest;
  std::string block(1 << 17, '\0');
  while (true) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "interrupted");
    const auto got = ::read(fd.get(), block.data(), block.size());
    if (got < 0) return fail_errno(path);
    if (got == 0) break;
    digest.update(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
  }
  return *from_hex(digest.finish_hex());
}

// A file's name that was mistyped is not sent as the name of a host: that has a dot, a scheme or a port.
bool looks_like_address(std::string_view text) {
  if (text.starts_with('/') || text.starts_with("./") || text.starts_with("../")) return false;
  if (text.find('.') != text.npos || text.find("://") != text.npos) return true;
  const auto colon = text.find(':');
  return colon != text.npos && text.substr(0, colon).find('/') == text.npos && colon + 1 < text.size() && text[colon + 1] >= '0' && text[colon + 1] <= '9';
}

std::string_view no_file(std::filesystem::file_type kind) {
  switch (kind) {
    case std::filesystem::file_type::fifo: return "a FIFO";
    case std::filesystem::file_type::socket: return "a socket";
    case std::filesystem::file_type::character:
    case std::filesystem::file_type::block: return "a device";
    default: return {};
  }
}

// A file that is there, a digest, software:PUBLISHER[/PRODUCT], else a web address.
Result<ksn::v1::Object> object_of(const std::string& argument, const core::CancelToken& cancel) {
  ksn::v1::Object out;
  if (argument.empty()) return fail(Code::invalid, kEmptyName);
  std::error_code error;
  const auto kind = std::filesystem::status(argument, error).type();
  if (kind == std::filesystem::file_type::regular) {
    PICKET_LET(digest, digest_of_file(argument, cancel));
    out.set_file_digest(digest);
    if (const auto path = std::filesystem::canonical(argument, error); !error && is_valid_utf8(path.native())) out.set_path(path.native());
    return out;
  }
  if (kind == std::filesystem::file_type::directory) return fail(Code::invalid, cat(argument, ": a folder has no reputation; use picketctl scan"));
  if (const auto what = no_file(kind); !what.empty()) return fail(Code::invalid, cat(argument, ": ", what, " has no content to ask about"));
  if (error == std::errc::permission_denied) return fail(Code::denied, cat(argument, ": ", error.message()));
  if (argument.size() == 64)
    if (const auto digest = from_hex(argument)) {
      out.set_file_digest(*digest);
      return out;
    }
  if (constexpr std::string_view prefix = "software:"; argument.starts_with(prefix)) {
    const auto name = argument.substr(prefix.size());
    const auto slash = name.find('/');
    out.mutable_software()->set_publisher(name.substr(0, slash));
    if (slash != name.npos) out.mutable_software()->set_product(name.substr(slash + 1));
    return out;
  }
  if (!is_valid_utf8(argument)) return fail(Code::unsupported, "the name is not UTF-8");
  if (!looks_like_address(argument))
    return fail(Code::not_found, cat(argument, ": no such file, and neither a SHA-256 nor a web address (a host without a dot: http://HOST/)"));
  out.set_address(argument);
  return out;
}

std::string answered_by(const Checked& checked) {
  return cat(from(checked.from()), checked.ksn().empty() ? "" : cat(", ", checked.ksn(), checked.private_ksn() ? " (Private KSN)" : " (Global KSN)"));
}

// Each fact that there is.
void add_facts(Table& table, const Checked& checked) {
  const auto& facts = checked.facts();
  if (!facts.threat().empty()) table.add({"Threat", facts.threat()});
  if (!facts.category().empty()) table.add({"Category", facts.category()});
  if (!checked.matched().empty()) table.add({"Matched", checked.matched()});
  if (!facts.publisher().empty()) table.add({"Publisher", cat(facts.publisher(), facts.product().empty() ? "" : ", ", facts.product())});
  if (facts.signature() != ksn::v1::SIGNATURE_NOT_KNOWN) table.add({"Signature", signature(facts.signature())});
  if (facts.trust_group() != ksn::v1::TRUST_GROUP_NOT_KNOWN) table.add({"Trust group", trust_group(facts.trust_group())});
  if (facts.popularity() != 0) table.add({"Used by", frequency(facts.popularity())});
  if (facts.first_seen() != 0) table.add({"First seen", date(facts.first_seen())});
  if (!facts.countries().empty()) table.add({"Countries", listed(facts.countries())});
  table.add({"Answered by", answered_by(checked)});
  if (facts.ttl_seconds() != 0) table.add({"Valid for", span(facts.ttl_seconds())});
  if (!checked.why().empty()) table.add({"Note", checked.why()});
}

Exit exit_of(bool untrusted, bool unanswered) { return untrusted ? Exit::found : unanswered ? Exit::partial : Exit::ok; }

// One of the two things that are asked of a program.
std::string in_short(const Checked& checked) {
  if (checked.from() == Checked::NOBODY) return cat("no answer", checked.why().empty() ? "" : ": ", checked.why());
  return cat(verdict(checked.facts().verdict()), " (", answered_by(checked), ")");
}

}  // namespace

Result<Exit> ksn_check(Context& context) {
  ksn::v1::CheckRequest request;
  request.set_known_only(context.invocation.has("known-only"));
  // One that cannot be asked about does not keep the others from their answers.
  ksn::v1::CheckReply reply;
  for (const auto& argument : context.arguments()) {
    auto object = object_of(argument, context.cancel);
    if (!object && (context.arguments().size() == 1 || object.error().code == Code::cancelled)) return fail(std::move(object).error());
    auto* checked = reply.add_checked();
    if (!object) checked->set_why(is_valid_utf8(object.error().message) ? object.error().message : "the name is not UTF-8");
    else *request.add_objects() = std::move(*object);
  }
  PICKET_LET(answered, ksn::check(request, [&](const ksn::v1::CheckRequest& some) { return context.session.ask<ksn::v1::CheckReply>("picket.ksn.check", some); }));
  reply.set_status(answered.status());
  bool untrusted = false, unanswered = false, is_silent = false;
  int at = 0;
  for (auto& checked : *reply.mutable_checked()) {
    if (checked.why().empty()) {
      checked.Swap(answered.mutable_checked(at++));
      is_silent = is_silent || checked.from() == Checked::NOBODY;
    }
    untrusted = untrusted || checked.facts().verdict() == ksn::v1::VERDICT_UNTRUSTED;
    unanswered = unanswered || checked.from() == Checked::NOBODY;
  }
  const Exit exit = request.objects().empty() ? Exit::failed : exit_of(untrusted, unanswered);
  if (context.printed_as_json(reply)) return exit;
  for (int i = 0; i < reply.checked_size(); ++i) {
    const auto& checked = reply.checked(i);
    if (i > 0) context.terminal.out("\n");
    Table table;
    table.add({"Object", context.arguments()[static_cast<std::size_t>(i)]});
    if (checked.from() == Checked::NOBODY) {
      table.add({"Verdict", {"no answer", Style::warning}});
      table.add({"Why", checked.why()});
    } else {
      table.add({"Verdict", {verdict(checked.facts().verdict()), style_of_verdict(checked.facts().verdict())}});
      add_facts(table, checked);
    }
    table.print(context.terminal);
  }
  if (is_silent && !reply.status().empty()) context.terminal.err(cat(runtime::printable(reply.status()), "\n"));
  return exit;
}

Result<Exit> ksn_software(Context& context) {
  const auto& argument = context.arguments()[0];
  if (argument.empty()) return fail(Code::invalid, kEmptyName);
  std::error_code error;
  const auto path = std::filesystem::canonical(argument, error);
  if (error) return fail(Code::not_found, cat(argument, ": ", error.message()));
  if (!is_valid_utf8(path.native())) return fail(Code::unsupported, "the name is not UTF-8");
  ksn::v1::SoftwareRequest request;
  request.set_path(path.native());
  PICKET_LET(reply, context.session.ask<ksn::v1::SoftwareReply>("picket.ksn.software", request));
  const bool by_software = reply.decided_by() == "software", decided = !reply.decided_by().empty();
  const auto& decides = by_software ? reply.checked() : reply.file();
  const auto said = decided ? decides.facts().verdict() : ksn::v1::VERDICT_UNKNOWN;
  const Exit exit = exit_of(said == ksn::v1::VERDICT_UNTRUSTED, !decided);
  if (context.printed_as_json(reply)) return exit;
  Table table;
  table.add({"Program", path.native()});
  table.add({"", reply.text()});
  table.add({"Verdict", decided ? Cell(verdict(said), style_of_verdict(said)) : Cell("no answer", Style::warning)});
  if (decided) table.add({"Decided by", by_software ? "its publisher and product" : "its content"});
  if (decided) add_facts(table, decides);
  const auto& software = reply.software();
  if (!software.publisher().empty())
    table.add({"Software", cat(software.publisher(), software.product().empty() ? "" : ", ", software.product(), ", by ", reply.identified_by(), reply.signature_valid() ? "" : ", not confirmed")});
  table.add({"Its verdict", in_short(reply.checked())});
  table.add({"Content", in_short(reply.file())});
  table.print(context.terminal);
  return exit;
}

}  // namespace picket::ctl
