#include "base/progress.hpp"
#include "ctl/command.hpp"
#include "ctl/humane.hpp"
#include "ctl/pages.hpp"
#include "ctl/progress_view.hpp"
#include "ctl/proto_json.hpp"
#include "ctl/styles.hpp"
#include "ctl/table.hpp"
#include "picket/task/v1/control.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

Exit exit_of(const task::v1::Run& run) {
  if (run.result() == "ok") return Exit::ok;
  if (run.result() == "partial") return Exit::partial;
  return run.result() == "cancelled" ? Exit::interrupted : Exit::failed;
}

std::string run_line(Terminal& terminal, const task::v1::Run& run) {
  return cat("task ", runtime::printable(run.task()), ", run ", std::to_string(run.run()), ": ", terminal.styled(style_of(run.result()), run.result()), ", ",
             span(run.finished() - run.started()), run.text().empty() ? std::string() : cat(": ", runtime::printable(run.text())), "\n");
}

void print_task_run(Terminal& terminal, const task::v1::Run& run) {
  if (!run.parts().empty()) {
    Table table{"PART", "RESULT", "TEXT"};
    for (const auto& part : run.parts()) table.add({{part.name(), Style::strong}, {part.result(), style_of(part.result())}, part.text()});
    table.print(terminal);
  }
  terminal.out(run_line(terminal, run));
}

std::string last_of(const task::v1::Task& task, std::int64_t now) { return task.has_last() ? cat(task.last().result(), " ", ago(task.last().finished(), now)) : std::string("never"); }

Result<Exit> ended(Context& context, ProgressView& view, const task::v1::Run& run) {
  view.interrupt();
  if (!context.printed_as_json(run)) print_task_run(context.terminal, run);
  return exit_of(run);
}

}  // namespace

Result<Exit> task_list(Context& context) {
  PICKET_LET(reply, ask_tasks(context.session));
  if (context.printed_as_json(reply)) return Exit::ok;
  Table table{"TASK", "TYPE", "STATE", "NEXT RUN", "LAST", "SCHEDULE", "TEXT"};
  for (const auto& task : reply.tasks())
    table.add({{task.id(), Style::strong}, task.type(), {task.state(), style_of(task.state())}, task.next_run() == 0 ? std::string("-") : ago(task.next_run(), context.now),
               Cell(last_of(task, context.now), task.has_last() ? style_of(task.last().result()) : Style::faint), task.schedule(), task.text()});
  table.print(context.terminal);
  std::string types;
  for (const auto& type : reply.types()) types += cat(types.empty() ? "" : ", ", runtime::printable(type));
  context.terminal.out(cat("types: ", types, reply.outbreak() ? "; an outbreak is declared: automatic tasks run more often" : "", "\n"));
  return Exit::ok;
}

Result<Exit> task_show(Context& context) {
  task::v1::ShowRequest request;
  request.set_id(context.arguments().front());
  PICKET_LET(task, context.session.ask<task::v1::Task>("picket.task.show", request));
  if (context.printed_as_json(task)) return Exit::ok;
  Table table;
  table.add({"task", {task.id(), Style::strong}});
  table.add({"type", task.type()});
  table.add({"defined", task.origin()});
  table.add({"state", {task.state(), style_of(task.state())}});
  table.add({"schedule", task.schedule()});
  table.add({"next run", task.next_run() == 0 ? std::string("not by the clock") : cat(date(task.next_run()), ", ", ago(task.next_run(), context.now))});
  table.add({"last run", task.has_last() ? cat(std::to_string(task.last().run()), ", ", last_of(task, context.now), " (", task.last().trigger(), ")") : std::string("never")});
  if (!task.text().empty()) table.add({"text", {task.text(), Style::warning}});
  if (!task.definition_json().empty()) table.add({"definition", task.definition_json()});
  table.print(context.terminal);
  if (task.has_last()) {
    context.terminal.out("\n");
    print_task_run(context.terminal, task.last());
  }
  return Exit::ok;
}

Result<Exit> task_run(Context& context) {
  task::v1::StartRequest request;
  request.set_id(context.arguments().front());
  request.set_detach(context.invocation.has("detach"));
  if (request.detach()) {
    PICKET_LET(accepted, context.session.ask<task::v1::Run>("picket.task.run", request));
    if (!context.printed_as_json(accepted)) context.terminal.out(cat("task ", runtime::printable(request.id()), " was started; picketctl task watch ", runtime::printable(request.id()), " follows it\n"));
    return Exit::ok;
  }
  ProgressView view(context.terminal, context.is_json());
  task::v1::Run run;
  PICKET_TRY(context.session.follow("picket.task.run", request, run, [&](std::string_view payload) -> Result<> {
    update::v1::Progress progress;
    if (!progress.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return fail(Code::invalid, "picketd's progress could not be read");
    view.show(progress);
    return {};
  }));
  return ended(context, view, run);
}

Result<Exit> task_watch(Context& context) {
  task::v1::WatchRequest request;
  if (!context.arguments().empty()) request.set_id(context.arguments().front());
  const bool all = request.id().empty(), as_json = context.is_json();
  ProgressView view(context.terminal, as_json);
  task::v1::Run run;
  const auto show = [&](std::string_view payload) -> Result<> {
    task::v1::WatchEvent event;
    if (!event.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return fail(Code::invalid, "picketd's progress could not be read");
    if (event.has_finished()) {
      view.interrupt();
      if (as_json) context.print_json(to_json(event.finished()));
      else context.terminal.out(run_line(context.terminal, event.finished()));
    } else {
      view.show(event.progress());
    }
    return {};
  };
  const auto idle = [&]() -> Result<> { return all && context.terminal.is_closed() ? Result<>(fail(Code::cancelled, "nobody reads any more")) : Result<>(); };
  auto followed = all ? context.session.watch("picket.task.watch", request, run, show, idle) : context.session.follow("picket.task.watch", request, run, show, idle);
  view.interrupt();
  if (!followed) return fail(std::move(followed).error());
  return all ? Exit::ok : ended(context, view, run);
}

Result<Exit> task_cancel(Context& context) {
  task::v1::CancelRequest request;
  request.set_id(context.arguments().front());
  PICKET_LET(run, context.session.ask<task::v1::Run>("picket.task.cancel", request));
  if (!context.printed_as_json(run)) context.terminal.out(cat("task ", runtime::printable(request.id()), run.run() == 0 ? " will not begin\n" : " was told to stop\n"));
  return Exit::ok;
}

Result<Exit> task_history(Context& context) {
  PICKET_LET(limit, context.number("limit", 20, 10000));
  task::v1::HistoryRequest request;
  if (!context.arguments().empty()) request.set_id(context.arguments().front());
  request.set_limit(static_cast<std::uint32_t>(limit));
  PICKET_LET(reply, context.session.ask<task::v1::HistoryReply>("picket.task.history", request));
  if (context.printed_as_json(reply)) return Exit::ok;
  if (reply.runs().empty()) {
    context.terminal.out("nothing has run yet\n");
    return Exit::ok;
  }
  Table table{"RUN", "TASK", "TYPE", "BECAUSE", "RESULT", "STARTED", "TOOK", "TEXT"};
  for (const auto& run : reply.runs())
    table.add({std::to_string(run.run()), {run.task(), Style::strong}, run.type(), run.trigger(), {run.result(), style_of(run.result())}, date(run.started()),
               span(run.finished() - run.started()), run.text()});
  table.print(context.terminal);
  return Exit::ok;
}

}  // namespace picket::ctl
