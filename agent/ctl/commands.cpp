// The table of all commands.
#include <array>
#include <limits>

#include "ctl/command.hpp"

namespace picket::ctl {
namespace {

constexpr unsigned any = std::numeric_limits<unsigned>::max();
constexpr std::span<const OptionSpec> no_options;

constexpr std::array global{
    OptionSpec{"socket", "PATH", "picketd's control socket (default: picketd.sock in run-dir of picketd.conf)"},
    OptionSpec{"config", "FILE", "where picketd.conf is (default: /etc/picket/picketd.conf)"},
    OptionSpec{"timeout", "SECONDS", "how long to wait for an answer (default: 10; long work: no limit), or how long to watch"},
    OptionSpec{"json", nullptr, "one JSON document on standard output, see /usr/share/picket/JSON.md (help and completion print their text)"},
    OptionSpec{"no-color", nullptr, "no colours"},
};
constexpr std::array run_options{OptionSpec{"prefetch", nullptr, "bring and verify in advance; put nothing in force"},
                                 OptionSpec{"force", nullptr, "ask also sources that are resting after a failure"}};
constexpr std::array history_options{OptionSpec{"limit", "N", "how many runs (default: 20)"}};
constexpr std::array rollback_options{OptionSpec{"steps", "N", "how many releases back (default: 1)"}};
constexpr std::array task_run_options{OptionSpec{"detach", nullptr, "do not wait for its end"}};
constexpr std::array show_options{OptionSpec{"document", nullptr, "only the policy document itself, as it was signed (--json: in policy_json)"}};
constexpr std::array scan_options{OptionSpec{"max-file-bytes", "N", "skip larger files (default: the scanner's setting)"}};
constexpr std::array ksn_check_options{OptionSpec{"known-only", nullptr, "ask nobody outside this computer"}};
constexpr std::array statement_options{OptionSpec{"language", "LANGUAGE", "of the text, e.g. de (default: the setting)"}};
constexpr std::array decide_options{OptionSpec{"language", "LANGUAGE", "of the text, e.g. de (default: the setting)"},
                                    OptionSpec{"digest", "SHA256", "only when the text is this one"}};
constexpr std::array watch_options{OptionSpec{"payloads", nullptr, "show what the messages hold"},
                                   OptionSpec{"count", "N", "end after so many messages (default: when interrupted)"}};

constexpr std::array all_commands{
    Command{"status", "", 0, 0, "How this computer's protection is, on one page", "picketctl status", no_options, Completes::nothing, &status},
    Command{"plugin list", "", 0, 0, "All plugins and what they are doing", "picketctl plugin list", no_options, Completes::nothing, &plugin_list},
    Command{"plugin info", "ID", 1, 1, "All about one plugin", "picketctl plugin info org.picket.cloud-mode", no_options, Completes::plugins, &plugin_info},
    Command{"plugin restart", "ID", 1, 1, "Stop and start a plugin, and wait; looks for a newer version, takes back a failed one",
            "picketctl plugin restart org.picket.scanner", no_options, Completes::plugins, &plugin_restart},
    Command{"update run", "[COMPONENT...]", 0, any, "Bring what is demanded up to date now", "picketctl update run yara-rules", run_options, Completes::components, &update_run},
    Command{"update status", "", 0, 0, "Components, sources and the last run", "picketctl update status", no_options, Completes::nothing, &update_status},
    Command{"update history", "", 0, 0, "Earlier runs, newest first", "picketctl update history --limit 5", history_options, Completes::nothing, &update_history},
    Command{"update rollback", "COMPONENT", 1, 1, "Go back to an earlier release", "picketctl update rollback yara-rules --steps 1", rollback_options, Completes::components,
            &update_rollback},
    Command{"update explain", "[COMPONENT]", 0, 1, "Why each thing happened in the last run", "picketctl update explain yara-rules", no_options, Completes::components, &update_explain},
    Command{"update what-is-sent", "", 0, 0, "What a download tells the update servers", "picketctl update what-is-sent", no_options, Completes::nothing, &update_what_is_sent},
    Command{"update export", "FOLDER [COMPONENT...]", 1, any, "Write what is in force to FOLDER: new, empty or an earlier export (picket-export.txt is there)", "picketctl update export /media/stick/picket",
            no_options, Completes::files, &update_export},
    Command{"component list", "", 0, 0, "Components, their releases and who demands them", "picketctl component list --json", no_options, Completes::nothing, &component_list},
    Command{"task list", "", 0, 0, "Tasks, when they run next and what came of them", "picketctl task list", no_options, Completes::nothing, &task_list},
    Command{"task show", "ID", 1, 1, "All about one task and its last run", "picketctl task show update", no_options, Completes::tasks, &task_show},
    Command{"task run", "ID", 1, 1, "Run a task now; Ctrl-C cancels it", "picketctl task run update", task_run_options, Completes::tasks, &task_run},
    Command{"task watch", "[ID]", 0, 1, "Follow a task that runs, or all that run", "picketctl task watch update", no_options, Completes::tasks, &task_watch},
    Command{"task cancel", "ID", 1, 1, "Stop a task that runs or waits", "picketctl task cancel update", no_options, Completes::tasks, &task_cancel},
    Command{"task history", "[ID]", 0, 1, "Earlier runs of tasks, newest first", "picketctl task history update --limit 5", history_options, Completes::tasks, &task_history},
    Command{"policy apply", "FILE", 1, 1, "Put a signed policy in force, for all plugins or for none (- reads standard input)", "picketctl policy apply policy.dsse", no_options,
            Completes::files, &policy_apply},
    Command{"policy show", "", 0, 0, "The policy in force", "picketctl policy show", show_options, Completes::nothing, &policy_show},
    Command{"policy explain", "PLUGIN [SETTING]", 1, 2, "Which layer gave each setting its value", "picketctl policy explain org.picket.update interval_minutes", no_options,
            Completes::plugin_settings, &policy_explain},
    Command{"scan", "PATH...", 1, any, "Scan files and folders", "picketctl scan /home", scan_options, Completes::files, &scan},
    Command{"ksn status", "", 0, 0, "Whether the reputation network is in use, by which road and under which statement", "picketctl ksn status", no_options, Completes::nothing, &ksn_status},
    Command{"ksn check", "FILE|URL|DIGEST...", 1, 100000, "What is known of files, web addresses or programs (software:PUBLISHER/PRODUCT)", "picketctl ksn check /usr/bin/ls", ksn_check_options,
            Completes::files, &ksn_check},
    Command{"ksn software", "FILE", 1, 1, "Whose a program is, and the reputation of its publisher, its product and its content", "picketctl ksn software /usr/bin/ls", no_options,
            Completes::files, &ksn_software},
    Command{"ksn last-sent", "", 0, 0, "The exact last message to KSN, and the next", "picketctl ksn last-sent", no_options, Completes::nothing, &ksn_last_sent},
    Command{"ksn what-is-sent", "", 0, 0, "All that basic and extended mode send", "picketctl ksn what-is-sent", no_options, Completes::nothing, &ksn_what_is_sent},
    Command{"ksn connection", "", 0, 0, "Try the KSN proxy and servers now", "picketctl ksn connection", no_options, Completes::nothing, &ksn_connection},
    Command{"ksn statement show", "", 0, 0, "The KSN statement, and what was decided about it", "picketctl ksn statement show --language en", statement_options, Completes::nothing,
            &ksn_statement_show},
    Command{"ksn statement accept", "", 0, 0, "Accept the KSN statement: KSN is used from then on", "picketctl ksn statement accept", decide_options, Completes::nothing, &ksn_statement_accept},
    Command{"ksn statement decline", "", 0, 0, "Decline it; after an earlier one was accepted, that one stays in force", "picketctl ksn statement decline", decide_options, Completes::nothing,
            &ksn_statement_decline},
    Command{"ksn enable", "", 0, 0, "Use KSN; its statement must be accepted", "picketctl ksn enable", no_options, Completes::nothing, &ksn_enable},
    Command{"ksn disable", "", 0, 0, "Use KSN no more; what waits to be sent is thrown away", "picketctl ksn disable", no_options, Completes::nothing, &ksn_disable},
    Command{"ksn proxy status", "", 0, 0, "The KSN proxy of this computer: cache, upstream and what waits", "picketctl ksn proxy status", no_options, Completes::nothing, &ksn_proxy_status},
    Command{"ksn service status", "", 0, 0, "The private KSN of this computer: its store, and what it was asked", "picketctl ksn service status --socket /srv/ksn/run/picketd.sock", no_options, Completes::nothing,
            &ksn_service_status},
    Command{"point status", "", 0, 0, "This computer's distribution point: what it serves, who asked for it, and its last download", "picketctl point status", no_options, Completes::nothing, &point_status},
    Command{"bus watch", "[FILTER]", 0, 1, "What is said on the bus, one line a message", "picketctl bus watch 'picket.update.*' --payloads", watch_options, Completes::nothing, &bus_watch},
    Command{"bus topics", "", 0, 0, "Topics, and who publishes, subscribes and answers", "picketctl bus topics", no_options, Completes::nothing, &bus_topics},
    Command{"config show", "", 0, 0, "picketd's own settings and where each came from", "picketctl config show", no_options, Completes::nothing, &config_show},
    Command{"doctor", "", 0, 0, "Look for what is wrong with this installation", "picketctl doctor", no_options, Completes::nothing, &doctor},
    Command{"completion", "SHELL", 1, 1, "Print the completion script for a shell (bash)", "picketctl completion bash > /etc/bash_completion.d/picketctl", no_options,
            Completes::shells, &completion},
    Command{"help", "[COMMAND...]", 0, 3, "Help on a command", "picketctl help update run", no_options, Completes::commands, &help},
    Command{"version", "", 0, 0, "The version of picketctl, and of picketd when it can be reached", "picketctl version", no_options, Completes::nothing, &version},
};

}  // namespace

std::span<const Command> commands() { return all_commands; }
std::span<const OptionSpec> global_options() { return global; }

}  // namespace picket::ctl
