#include "ctl/pages.hpp"

#include <string>

#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

// `name_of_last` names the last item of a page, behind which the next one begins.
template <class Reply, class Request, class NameOfLast>
Result<Reply> ask_all(Session& session, std::string_view topic, Request request, const NameOfLast& name_of_last) {
  Reply out;
  for (;;) {
    PICKET_LET(page, session.ask<Reply>(topic, request));
    out.MergeFrom(page);
    out.clear_more();
    const std::string last = name_of_last(page);
    if (!page.more()) return out;
    if (last <= request.after()) return fail(Code::invalid, cat("picketd's answers to ", topic, " have no end: there is more behind '", runtime::printable(last), "' again"));
    request.set_after(last);
  }
}

}  // namespace

Result<update::v1::StatusReply> ask_updates(Session& session, std::string_view topic) {
  return ask_all<update::v1::StatusReply>(session, topic, update::v1::StatusRequest(),
                                          [](const auto& page) { return page.components().empty() ? std::string() : page.components().rbegin()->component(); });
}

Result<task::v1::ListReply> ask_tasks(Session& session) {
  return ask_all<task::v1::ListReply>(session, "picket.task.list", task::v1::ListRequest(),
                                      [](const auto& page) { return page.tasks().empty() ? std::string() : page.tasks().rbegin()->id(); });
}

}  // namespace picket::ctl
