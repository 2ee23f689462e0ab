// Whether standard error is systemd's journal.
#pragma once

namespace picket::runtime {

// systemd sets JOURNAL_STREAM to device:inode of the stream it gave; another stream may have been put in its place since.
[[nodiscard]] bool stderr_is_journal();
// What tells the journal that a line is an error (sd-daemon(3)); empty elsewhere.
[[nodiscard]] inline const char* error_prefix() { return stderr_is_journal() ? "<3>" : ""; }

}  // namespace picket::runtime
