#!/usr/bin/env python3
"""picketd with its default plugins in process, idle, beside the freshclam daemon: memory, wake-ups, time until ready.

Private memory is Private_Clean + Private_Dirty of smaps_rollup; wake-ups are the context switches of all threads over a while."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ["PICKET_BUILD"])
SOURCE = pathlib.Path(os.environ["PICKET_SOURCE"])
DEFAULT_PLUGINS = ["org.picket.source-folder", "org.picket.source-http", "org.picket.cloud-mode"]
WATCHED_SECONDS = 20


def row(name, ours, unit, goal, **more):
    print(json.dumps({"name": name, "ours": ours, "unit": unit, "better": "lower", "goal": goal, **more}), flush=True)


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


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def start_picketd(work):
    """Starts it as systemd would; returns (process, milliseconds until READY=1)."""
    plugins = work / "plugins"
    for plugin in DEFAULT_PLUGINS:
        shutil.copytree(BUILD / "plugins" / plugin, plugins / plugin)
    repo = work / "repo"
    for command in ("init", "sign", "publish"):
        run(BUILD / "bin" / "picket-repo", command, "--repo", repo)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(work / "notify"))
    notify.settimeout(30)
    command = [BUILD / "bin" / "picketd", "--config", work / "picketd.conf"]
    roots = sorted((repo / "repository" / "metadata").glob("*.root.json"))
    (work / "picketd.conf").write_text(
        f"data-dir = {work}/data\nrun-dir = {work}/run\nplugin-dir = {plugins}\nplugin-keys = {BUILD}/devkey\n"
        f"policy-keys = {work}/none\nsettings-dir = {work}/settings\nupdate-root = {roots[0]}\nlog-level = warning\n"
        + "".join(f"in-process = {plugin}\n" for plugin in DEFAULT_PLUGINS))
    begun = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], env={"NOTIFY_SOCKET": str(work / "notify"), "PATH": "/usr/bin:/bin"})
    while b"READY=1" not in notify.recv(1024):
        pass
    return process, (time.monotonic() - begun) * 1000


def freshclam(work):
    """The peer: freshclam as a daemon that finds no mirror, which is how it idles."""
    (work / "db").mkdir()
    conf = work / "freshclam.conf"
    conf.write_text(f"DatabaseDirectory {work}/db\nDatabaseMirror 127.0.0.1\nChecks 1\nDatabaseOwner {os.environ.get('USER', 'root')}\nForeground yes\n"
                    f"MaxAttempts 1\nConnectTimeout 1\n")
    return subprocess.Popen(["freshclam", "-d", f"--config-file={conf}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        ready = []
        for attempt in range(5):
            folder = work / f"run{attempt}"
            folder.mkdir()
            picketd, elapsed = start_picketd(folder)
            ready.append(elapsed)
            if attempt < 4:
                stop(picketd)
        peer = freshclam(work)
        try:
            time.sleep(5)
            before = switches(picketd.pid)
            time.sleep(WATCHED_SECONDS)
            wakeups = (switches(picketd.pid) - before) / WATCHED_SECONDS
            resident, private = memory(picketd.pid)
            if peer.poll() is not None:
                sys.exit(f"freshclam did not stay: exit status {peer.returncode}")
            _, peer_private = memory(peer.pid)
        finally:
            stop(picketd)
            stop(peer)
    row("idle private memory", round(private, 2), "MB", "less than freshclam", peer=round(peer_private, 2), peer_name="freshclam", goal_ratio=1.0)
    row("idle resident memory", round(resident, 2), "MB", "under 25 MB", goal_value=25)
    row("idle wake-ups", wakeups, "1/s", "under 1", goal_value=1)
    row("start until ready", round(sorted(ready)[2], 1), "ms", "under 100 ms", goal_value=100)


main()
