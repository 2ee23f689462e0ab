/* What a program does to a folder, seen at its system calls, wherever in the code they are made: counts them, and kills the process before one of
 * them. system_calls.c stands in for the functions of the C library that change files, by their names, for the program that it is linked into
 * and for all of its shared libraries; there is no LD_PRELOAD, so it works under sanitizers too.
 *
 * What only syncs is not counted: a process that is killed leaves the same behind with and without it. Nor is what the C library does by itself
 * (a FILE that was opened for reading and writing is counted once, when it is opened). */
#ifndef PICKET_FAULT_SYSTEM_CALLS_H
#define PICKET_FAULT_SYSTEM_CALLS_H

#ifdef __cplusplus
extern "C" {
#endif

/* From now on: calls that change something below `folder`. The `kill_at`-th (0: none) ends the process by SIGKILL before it is made, with `torn` not
 * 0 after half of its bytes, when it writes. Each is written to `log` (-1: no) as "NAME FILE", FILE below the folder. Once, before threads run. */
void picket_watch_calls(const char* folder, long kill_at, int torn, int log);

/* How many there were. */
long picket_calls_made(void);

#ifdef __cplusplus
}
#endif

#endif
