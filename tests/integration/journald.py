#!/usr/bin/env python3
"""Under a real systemd-journald: picketd's lines arrive with their levels, one entry a line, without a time of their own. The journal lives in a
mount namespace with an empty /run; needs root for that, and is skipped (77) without."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

from picket_site import LIMIT, Agent, wait_for, workplace

JOURNALD = pathlib.Path("/lib/systemd/systemd-journald")


def journal(identifier):
    done = subprocess.run(["journalctl", "--no-pager", "-o", "json", "-t", identifier], capture_output=True, text=True, timeout=LIMIT)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def stream(identifier):
    """What systemd gives a service as standard error: a stream with level prefixes, and its name in JOURNAL_STREAM."""
    out = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    out.connect("/run/systemd/journal/stdout")
    out.sendall(f"{identifier}\n\n6\n1\n0\n0\n0\n".encode())
    info = os.fstat(out.fileno())
    return out, dict(os.environ, JOURNAL_STREAM=f"{info.st_dev}:{info.st_ino}")


def start(identifier, command):
    out, environment = stream(identifier)
    with out:
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stderr=out.fileno(), env=environment)


def check(work):
    agent = Agent(work / "agent", options={"log-level": "debug"})
    daemon = start("healthy", agent.command)
    try:
        wait_for("the control socket", lambda: agent.socket.exists() or daemon.poll() is not None)
        assert daemon.poll() is None, f"picketd ended: {journal('healthy')}"
        wait_for("a line of level info", lambda: any(entry["PRIORITY"] == "6" for entry in journal("healthy")))
        wait_for("a line of level warning", lambda: any(entry["PRIORITY"] == "4" for entry in journal("healthy")))
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=LIMIT) == 0
    for entry in journal("healthy"):
        text = entry["MESSAGE"]
        assert text and not text.startswith(("<", "20")), f"a level or a time is left in the text: {text}"
    # One that cannot start says why in the journal, as an error.
    assert start("broken", [*agent.command, "--data-dir", "/proc/none"]).wait(timeout=LIMIT) != 0
    wait_for("the reason as an error", lambda: any(entry["PRIORITY"] == "3" and "/proc/none" in entry["MESSAGE"] for entry in journal("broken")))


def main():
    if os.environ.get("PICKET_OWN_RUN") != "1":
        if os.geteuid() != 0 or not JOURNALD.exists() or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            print("skipped: needs root, systemd-journald and a mount namespace of its own")
            return 77
        return subprocess.run(["unshare", "--mount", sys.executable, __file__], env=dict(os.environ, PICKET_OWN_RUN="1")).returncode
    subprocess.run(["mount", "-t", "tmpfs", "picket-test", "/run"], check=True)
    os.makedirs("/run/systemd/journal")
    os.makedirs("/run/log/journal")
    server = subprocess.Popen([str(JOURNALD)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the journal", lambda: os.path.exists("/run/systemd/journal/stdout"))
        with workplace("journald") as work:
            check(work)
    finally:
        server.kill()
        server.wait()
    return 0


sys.exit(main())
