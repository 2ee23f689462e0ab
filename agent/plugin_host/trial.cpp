#include "plugin_host/trial.hpp"

#include "runtime/child_process.hpp"

namespace picket::plugin_host {

Trial::Trial() = default;
Trial::~Trial() = default;

Result<std::unique_ptr<Trial>> Trial::start(runtime::IoLoop& loop, const Options& options, std::function<void(Result<>)> on_end) {
  constexpr int library_in_child = 3;
  static constexpr std::string_view mark = "refused: ";
  runtime::ChildOptions child;
  child.argv = {options.program.native(), "--trial", "--library", std::to_string(library_in_child), "--id", options.id};
  if (options.in_process) child.argv.emplace_back("--in-process");
  child.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  child.fds = {{options.library, library_in_child}};
  child.name = cat("trial of ", options.id);
  const auto refused = std::make_shared<std::string>();  // loop's thread
  child.on_line = [refused](bool is_stderr, std::string_view line) {
    if (!is_stderr && line.starts_with(mark)) *refused = line.substr(mark.size());
  };
  child.on_exit = [refused, on_end = std::move(on_end)](const runtime::ExitStatus& status) {
    if (status.is_success()) return on_end({});
    if (!refused->empty()) return on_end(fail(Code::invalid, *refused));
    on_end(fail(Code::invalid, cat("ended while it was loaded on trial: ", status.text())));
  };
  PICKET_LET(process, runtime::ChildProcess::start(loop, std::move(child)));
  std::unique_ptr<Trial> out(new Trial);
  out->child_ = std::move(process);
  return out;
}

}  // namespace picket::plugin_host
