#!/usr/bin/env python3
"""picketd with its default plugins in process, idle, beside the freshclam daemon: memory, wake-ups, time until ready.

Private memory is Private_Clean + Private_Dirty of smaps_rollup; wake-ups are the context switches of all threads over a while."""
import os
import pathlib
import sys
import time

from bench_report import row
from picket_site import Agent, Publisher, Running, workplace

DEFAULT_PLUGINS = ["org.picket.source-folder", "org.picket.source-http", "org.picket.cloud-mode"]
WATCHED_SECONDS = 20


def memory(pid):
    """(resident, private) in MB (10**6 bytes)."""
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, _ = line.split()
        fields[name.rstrip(":")] = int(value)
    return fields["Rss"] * 1024 / 1e6, (fields["Private_Clean"] + fields["Private_Dirty"]) * 1024 / 1e6


def switches(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def freshclam(folder):
    """The peer: freshclam as a daemon that finds no mirror, which is how it idles."""
    peer = Running(folder)
    (folder / "db").mkdir()
    conf = folder / "freshclam.conf"
    conf.write_text(f"DatabaseDirectory {folder}/db\nDatabaseMirror 127.0.0.1\nChecks 1\nDatabaseOwner {os.environ.get('USER', 'root')}\nForeground yes\n"
                    f"MaxAttempts 1\nConnectTimeout 1\n")
    peer.launch("freshclam", "-d", f"--config-file={conf}")
    return peer


def main(work):
    publisher = Publisher(work / "publisher")
    publisher.publish()
    agents = [Agent(work / f"agent{attempt}", publisher, {"log-level": "warning", "in-process": DEFAULT_PLUGINS}, DEFAULT_PLUGINS) for attempt in range(5)]
    ready = []
    for agent in agents[:4]:
        with agent:
            ready.append(agent.start_as_service())
    with agents[4] as agent:
        ready.append(agent.start_as_service())
        with freshclam(work / "freshclam") as peer:
            time.sleep(5)
            before = switches(agent.process.pid)
            time.sleep(WATCHED_SECONDS)
            wakeups = (switches(agent.process.pid) - before) / WATCHED_SECONDS
            resident, private = memory(agent.process.pid)
            if peer.process.poll() is not None:
                sys.exit(f"freshclam did not stay: exit status {peer.process.returncode}: {peer.log()}")
            _, peer_private = memory(peer.process.pid)
    row("idle private memory", private, "MB", "lower", "less than freshclam", peer=peer_private, peer_name="freshclam", goal_ratio=1.0)
    row("idle resident memory", resident, "MB", "lower", "under 25 MB", goal_value=25)
    row("idle wake-ups", wakeups, "1/s", "lower", "under 1", goal_value=1)
    row("start until ready", sorted(ready)[2], "ms", "lower", "under 100 ms", goal_value=100)


with workplace("idle") as place:
    main(place)
