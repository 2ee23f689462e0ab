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
    """A publisher and an agent; a second one is an agent of the first one's publisher."""

    def __init__(self, work, publisher=None):
        self.work = work
        self.repo = publisher or work / "publisher"
        self.socket = work / "run" / "picketd.sock"
        self.daemon = None
        (work / "settings").mkdir(parents=True)
        self.config = work / "picketd.conf"
        if publisher is None:
            run(BIN / "picket-repo", "init", "--repo", self.repo)
        self.config.write_text(
            f"data-dir = {work}/data\nrun-dir = {work}/run\nplugin-dir = {BUILD}/plugins\nplugin-dir = {BUILD}/third-party-plugins\nplugin-keys = {BUILD}/devkey\n"
            f"policy-keys = {work}/none\nsettings-dir = {work}/settings\nupdate-root = {self.repo}/repository/metadata/1.root.json\n"
            f"in-process = org.picket.source-folder\nin-process = org.picket.source-http\ndisabled = org.picket.scanner\ndisabled = org.picket.ksn-client\ndisabled = org.example.crasher\ndisabled = org.example.ksn-stand-in\ndevice = pc-1\nlog-file = {work}/picketd.log\n")

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

    def reload(self, task):
        self.daemon.send_signal(signal.SIGHUP)
        wait_for("the new settings", lambda: any(each["id"] == task for each in self.data("task", "list")["tasks"]))

    def rule(self):
        return (self.work / "data/update/sets/rules/current/a.txt").read_text().split("\n")[0]

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
    brought = world.ran("often", news=True, text="new from folder: rules 1 > 2")
    assert brought["parts"][0] == {"name": "rules", "result": "updated", "text": "release 2 (full) is newer than 1"}, brought
    shown = world.ctl("task", "run", "back").stdout
    assert "rules 2 > 1" in shown, shown
    assert world.rule() == "release 1"
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
    world.reload("held")
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


def handing_on(world, second):
    """Copies to further folders, exports for a removable drive, and an agent that has nothing else."""
    share, stick = world.work / "share", world.work / "stick"
    stick.mkdir()
    world.settings({
        "update": {"schedule": {}},
        "copy": {"type": "copy", "options": {"folders": [str(share / "picket"), str(world.work / "other")]}, "schedule": {"after": {"task": "update"}}},
        "ahead": {"type": "prefetch"},
    })
    world.reload("ahead")
    world.publish(3)
    world.ctl("task", "run", "update")
    failed = world.ran("copy", trigger="after update")
    assert failed["result"] == "partial" and "share is no folder" in failed["text"], failed
    share.mkdir()
    world.ctl("task", "run", "copy")
    assert (share / "picket/metadata/1.root.json").exists() and (world.work / "other/metadata/timestamp.json").exists()

    # The copy is a source as it is.
    second.settings({"update": {"schedule": {}}}, {"name": "share", "plugin": "org.picket.source-folder", "location": str(share / "picket")})
    second.start()
    assert f"new from share: rules {world.rule().split()[1]}" in second.ctl("update", "run").stdout
    assert second.rule() == world.rule()

    # So is what the publisher exports for the device, and what the agent exports by hand.
    world.publish(4)
    device = world.work / "device.json"
    device.write_text(second.ctl("component", "list", "--json").stdout)
    out = run(BIN / "picket-repo", "export", "--repo", world.repo, device, stick / "picket").stdout
    assert "rules full: release 4" in out, out
    second.settings({"update": {"schedule": {}}, "by-drive": {"type": "update"}}, {"name": "drive", "plugin": "org.picket.source-folder", "location": str(stick / "picket")})
    second.reload("by-drive")
    assert "new from drive: rules" in second.ctl("task", "run", "by-drive").stdout
    assert second.rule() == "release 4"
    exported = second.data("update", "export", stick / "from-agent")
    assert exported["kind"] == "export" and exported["components"][0]["result"] == "exported", exported
    assert sum(1 for path in (stick / "from-agent/targets").rglob("*") if path.is_file()) == 1
    refused = second.ctl("update", "export", stick, status=1)
    assert "is no repository, and is left alone" in refused.stdout, refused.stdout

    # Fetched in advance, then taken with no source at all.
    second.settings({"update": {"schedule": {}}, "ahead": {"type": "prefetch"}}, {"name": "share", "plugin": "org.picket.source-folder", "location": str(world.repo / "repository")})
    second.reload("ahead")
    world.publish(5)
    assert "fetched" in second.ctl("task", "run", "ahead").stdout
    assert second.rule() == "release 4"
    second.settings({"update": {"schedule": {}}, "alone": {"type": "update"}}, {"name": "gone", "plugin": "org.picket.source-folder", "location": str(world.work / "unplugged")})
    second.reload("alone")
    assert "what was fetched in advance is taken" in second.ctl("task", "run", "alone").stdout
    assert second.rule() == "release 5"
    second.end()


def verification(world):
    """What a plugin's task does not like goes back, and is never handed on."""
    place = world.work / "share/verified"
    world.settings({
        "update": {"schedule": {}},
        "verify": {"type": "verification", "options": {"testers": ["example-set-test"], "tester_options": {"refuse_release": 6}}},
        "hand-on": {"type": "copy", "options": {"folders": [str(place)]}, "schedule": {"after": {"task": "verify"}}},
    })
    world.reload("verify")
    assert "example-set-test" in world.data("task", "list")["types"]
    assert "release 5 is good" in world.ctl("task", "run", "verify").stdout
    assert world.ran("hand-on", trigger="after verify")["result"] == "ok"
    handed_on = (place / "metadata/timestamp.json").read_bytes()
    world.publish(6)
    refused = world.data("task", "run", "verify", status=1)
    assert refused["text"] == "not verified: example-set-test: release 6 is not good; rules is back at 5", refused
    assert world.rule() == "release 5"
    assert (place / "metadata/timestamp.json").read_bytes() == handed_on and len(world.history("hand-on")) == 1
    world.publish(7)
    world.ctl("task", "run", "verify")
    wait_for("the next copy", lambda: len(world.history("hand-on")) == 2)
    assert world.rule() == "release 7" and (place / "metadata/timestamp.json").read_bytes() != handed_on


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="picket-tasks-"))
    world = World(work)
    second = World(work / "second", world.repo)
    try:
        by_schedule(world)
        missed(world)
        handing_on(world, second)
        verification(world)
        long_work(world)
        world.end()
    except BaseException:
        for log in (work / "picketd.log", work / "second/picketd.log"):
            print(log.read_text()[-4000:] if log.exists() else f"no {log}", file=sys.stderr)
        raise
    finally:
        for each in (world, second):
            if each.daemon is not None:
                each.daemon.kill()
                each.daemon.wait()
        shutil.rmtree(work, ignore_errors=True)
    print("tasks run, are missed, handed on, cancelled, stopped, killed and remembered as they should")


main()
