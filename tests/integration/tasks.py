#!/usr/bin/env python3
"""Tasks in a real picketd: by schedule, at start, after each other, when there is something new, missed, cancelled, stopped, killed."""
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

BIN = pathlib.Path(os.environ["PICKET_BIN"])
BUILD = pathlib.Path(os.environ["PICKET_BUILD"])
LIMIT = 60.0  # of every wait


def run(*command, status=0):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == status, f"{command} ended with {done.returncode}, not {status}: {done.stdout}{done.stderr}"
    return done


def wait_for(what, condition):
    until = time.monotonic() + LIMIT
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.05)


class World:
    def __init__(self, work):
        self.work = work
        self.repo = work / "publisher"
        self.socket = work / "run" / "picketd.sock"
        self.daemon = None
        (work / "settings").mkdir()
        self.config = work / "picketd.conf"
        run(BIN / "picket-repo", "init", "--repo", self.repo)
        self.config.write_text(
            f"data-dir = {work}/data\nrun-dir = {work}/run\nplugin-dir = {BUILD}/plugins\nplugin-keys = {BUILD}/devkey\n"
            f"policy-keys = {work}/none\nsettings-dir = {work}/settings\nupdate-root = {self.repo}/repository/metadata/1.root.json\n"
            f"in-process = org.picket.source-folder\nin-process = org.picket.source-http\ndisabled = org.picket.scanner\ndevice = pc-1\nlog-file = {work}/picketd.log\n")

    def publish(self, release):
        files = self.work / f"release-{release}"
        files.mkdir()
        (files / "a.txt").write_text(f"release {release}\n" * 1000)
        run(BIN / "picket-repo", "add", "--repo", self.repo, "--component", "rules", "--release", release, files)
        run(BIN / "picket-repo", "sign", "--repo", self.repo)
        run(BIN / "picket-repo", "publish", "--repo", self.repo)

    def settings(self, tasks, source=None, **more):
        source = source or {"name": "folder", "plugin": "org.picket.source-folder", "location": str(self.repo / "repository")}
        (self.work / "settings" / "org.picket.update.json").write_text(
            json.dumps({"interval_minutes": 0, "components": ["rules"], "rest_after_failure_seconds": 0, "sources": [source]}))
        (self.work / "settings" / "org.picket.tasks.json").write_text(json.dumps({"tasks": tasks, **more}))

    def start(self):
        self.daemon = subprocess.Popen([str(BIN / "picketd"), "--config", str(self.config)], stdin=subprocess.DEVNULL, stdout=open(self.work / "out", "ab"), stderr=subprocess.STDOUT)

        def answers():
            assert self.daemon.poll() is None, "picketd ended"
            return subprocess.run([str(BIN / "picketctl"), "--socket", str(self.socket), "task", "list"], capture_output=True, timeout=LIMIT).returncode == 0

        wait_for("picketd", answers)

    def end(self, how=signal.SIGTERM):
        if self.daemon is None:
            return
        self.daemon.send_signal(how)
        status = self.daemon.wait(LIMIT)
        self.daemon = None
        assert how != signal.SIGTERM or status == 0, f"picketd ended with {status}"

    def ctl(self, *words, status=0):
        return run(BIN / "picketctl", "--socket", self.socket, *words, status=status)

    def data(self, *words, status=0):
        return json.loads(self.ctl(*words, "--json", status=status).stdout)["data"]

    def history(self, task):
        return self.data("task", "history", task)["runs"]

    def ran(self, task, **expected):
        """Waits for a run of the task with these members."""
        return wait_for(f"a run of {task} with {expected}", lambda: next((r for r in self.history(task) if all(r[k] == v for k, v in expected.items())), None))


def by_schedule(world):
    world.publish(1)
    world.settings({
        "update": {"schedule": {"at_start": {}}},
        "often": {"type": "update", "schedule": {"every": {"seconds": 2}}},
        "follow": {"type": "update", "schedule": {"after": {"task": "update"}}},
        "copy": {"type": "update", "schedule": {"new_updates": {}}},
        "back": {"type": "rollback", "options": {"component": "rules"}},
    })
    world.start()
    first = world.ran("update", trigger="start")
    assert first["result"] == "ok", first
    assert world.ran("follow", trigger="after update")["started"] >= first["finished"]
    assert world.ran("copy", trigger="new-updates")["result"] == "ok", "release 1 was new"
    wait_for("two runs by the schedule", lambda: len([r for r in world.history("often") if r["trigger"] == "schedule" and r["result"] == "ok"]) >= 2)
    world.publish(2)
    brought = world.ran("often", news=True, text="rules 1 > 2")
    assert brought["parts"][0] == {"name": "rules", "result": "updated", "text": "release 2 (full) is newer than 1"}, brought
    shown = world.ctl("task", "run", "back").stdout
    assert "rules 2 > 1" in shown, shown
    assert (world.work / "data/update/sets/rules/current/a.txt").read_text().startswith("release 1\n")
    # One line for what is wrong.
    for words, text in ((("run", "nothing"), "there is no task 'nothing'; see picketctl task list"), (("cancel", "back"), "task back does not run")):
        assert world.ctl("task", *words, status=1).stderr == f"picketctl: {text}\n"


def missed(world):
    due = wait_for("the next run", lambda: world.data("task", "show", "often")["next_run"])
    world.end()
    before = len((world.work / "data/tasks/history.jsonl").read_text().splitlines())
    wait_for("the time at which it should have run", lambda: time.time() > due + 1)
    world.start()
    assert world.ran("often", trigger="missed")["result"] == "ok"
    assert len(world.data("task", "history", "--limit", 1000)["runs"]) > before, "and what ran before the restart is still known"


def long_work(world):
    # Takes connections and never says a word.
    silent = socket.create_server(("127.0.0.1", 0))
    world.settings({"update": {"schedule": {}}, "slow": {"type": "update", "stop_after": {"seconds": 1}}, "held": {"type": "update"}},
                   {"name": "silent", "plugin": "org.picket.source-http", "location": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
    world.daemon.send_signal(signal.SIGHUP)
    wait_for("the new settings", lambda: any(task["id"] == "held" for task in world.data("task", "list")["tasks"]))
    stopped = world.data("task", "run", "slow", status=1)
    assert stopped["result"] == "timed-out", stopped
    assert stopped["finished"] - stopped["started"] <= 5, stopped

    world.ctl("task", "run", "held", "--detach")
    wait_for("held to run", lambda: world.data("task", "show", "held")["state"] == "running")
    assert "runs already" in world.ctl("task", "run", "held", status=1).stderr
    watcher = subprocess.Popen([str(BIN / "picketctl"), "--socket", str(world.socket), "task", "watch", "held"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    world.ctl("task", "cancel", "held")
    world.ran("held", result="cancelled")
    out, err = watcher.communicate(timeout=LIMIT)
    # It may have come too late to see it: then it says so.
    assert (watcher.returncode, "cancelled" in out) == (130, True) or "does not run" in err, (watcher.returncode, out, err)

    # Killed in mid-run: the history is whole, and says what was interrupted.
    known = world.data("task", "history", "--limit", 1000)["runs"]
    world.ctl("task", "run", "held", "--detach")
    number = wait_for("held to run again", lambda: world.data("task", "show", "held")["state"] == "running") and max(r["run"] for r in known) + 1
    world.end(signal.SIGKILL)
    world.start()
    after = world.data("task", "history", "--limit", 1000)["runs"]
    assert after[0]["run"] == number and after[0]["result"] == "interrupted" and after[0]["task"] == "held", after[0]
    assert after[1:] == known, "nothing of the history is lost"
    silent.close()


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="picket-tasks-"))
    world = World(work)
    try:
        by_schedule(world)
        missed(world)
        long_work(world)
        world.end()
    except BaseException:
        log = work / "picketd.log"
        print(log.read_text()[-6000:] if log.exists() else "no log", file=sys.stderr)
        raise
    finally:
        if world.daemon is not None:
            world.daemon.kill()
            world.daemon.wait()
        shutil.rmtree(work, ignore_errors=True)
    print("tasks run, are missed, cancelled, stopped, killed and remembered as they should")


main()
