#!/usr/bin/env python3
"""Tasks in a real picketd: by schedule, at start, after each other, when there is something new, missed, cancelled, stopped, killed."""
import contextlib
import json
import signal
import socket
import subprocess
import time

from picket_site import BIN, BUILD, LIMIT, Agent, Publisher, folder_source, wait_for, web_source, workplace


def publish(publisher, release):
    files = publisher.folder.parent / f"release-{release}"
    files.mkdir()
    (files / "a.txt").write_text(f"release {release}\n" * 1000)
    publisher.add("rules", release, files)
    publisher.publish()


class World(Agent):
    """An agent with tasks, and the publisher that it updates from."""

    def __init__(self, folder, publisher):
        super().__init__(folder, publisher, {
            "plugin-dir": [BUILD / "plugins", BUILD / "third-party-plugins"], "device": "pc-1", "log-file": folder / "log", "in-process": ["org.picket.source-folder", "org.picket.source-http"],
            "disabled": ["org.picket.scanner", "org.picket.ksn-client", "org.example.crasher", "org.example.ksn-stand-in"]})
        self.publisher = publisher

    def tasks(self, tasks, source=None, **more):
        self.update_from(source or folder_source(self.publisher.repository), components=["rules"])
        self.settings("org.picket.tasks", tasks=tasks, **more)

    def reload(self, task):
        self.process.send_signal(signal.SIGHUP)
        wait_for("the new settings", lambda: any(each["id"] == task for each in self.json("task", "list")["tasks"]))

    def rule(self):
        return (self.current("rules") / "a.txt").read_text().split("\n")[0]

    def history(self, task):
        return self.json("task", "history", task)["runs"]

    def ran(self, task, **expected):
        """Waits for a run of the task with these members."""
        return wait_for(f"a run of {task} with {expected}", lambda: next((r for r in self.history(task) if all(r[k] == v for k, v in expected.items())), None))


def by_schedule(world):
    publish(world.publisher, 1)
    world.tasks({
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
    publish(world.publisher, 2)
    brought = world.ran("often", news=True, text="new from folder: rules 1 > 2")
    assert brought["parts"][0] == {"name": "rules", "result": "updated", "text": "release 2 (full) is newer than 1"}, brought
    shown = world.ctl("task", "run", "back")
    assert "rules 2 > 1" in shown, shown
    assert world.rule() == "release 1"
    # One line for what is wrong.
    for words, text in ((("run", "nothing"), "there is no task 'nothing'; see picketctl task list"), (("cancel", "back"), "task back does not run")):
        assert world.run_ctl("task", *words, status=1).stderr == f"picketctl: {text}\n"


def missed(world):
    due = wait_for("the next run", lambda: world.json("task", "show", "often")["next_run"])
    world.end()
    before = len((world.folder / "data/tasks/history.jsonl").read_text().splitlines())
    wait_for("the time at which it should have run", lambda: time.time() > due + 1)
    world.start()
    assert world.ran("often", trigger="missed")["result"] == "ok"
    assert len(world.json("task", "history", "--limit", 1000)["runs"]) > before, "and what ran before the restart is still known"


def long_work(world):
    # Takes connections and never says a word.
    silent = socket.create_server(("127.0.0.1", 0))
    world.tasks({"update": {"schedule": {}}, "slow": {"type": "update", "stop_after": {"seconds": 1}}, "held": {"type": "update"}},
                   web_source(silent.getsockname()[1], "silent"))
    world.reload("held")
    stopped = world.json("task", "run", "slow", status=1)
    assert stopped["result"] == "timed-out", stopped
    assert stopped["finished"] - stopped["started"] <= 20, stopped

    world.ctl("task", "run", "held", "--detach")
    wait_for("held to run", lambda: world.json("task", "show", "held")["state"] == "running")
    assert "runs already" in world.run_ctl("task", "run", "held", status=1).stderr
    watcher = subprocess.Popen([str(BIN / "picketctl"), "--socket", str(world.socket), "task", "watch", "held"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    world.ctl("task", "cancel", "held")
    world.ran("held", result="cancelled")
    out, err = watcher.communicate(timeout=LIMIT)
    # It may have come too late to see it: then it says so.
    assert (watcher.returncode, "cancelled" in out) == (130, True) or "does not run" in err, (watcher.returncode, out, err)

    # Killed in mid-run: the history is whole, and says what was interrupted.
    known = world.json("task", "history", "--limit", 1000)["runs"]
    world.ctl("task", "run", "held", "--detach")
    number = wait_for("held to run again", lambda: world.json("task", "show", "held")["state"] == "running") and max(r["run"] for r in known) + 1
    world.end(signal.SIGKILL)
    world.start()
    after = world.json("task", "history", "--limit", 1000)["runs"]
    assert after[0]["run"] == number and after[0]["result"] == "interrupted" and after[0]["task"] == "held", after[0]
    assert after[1:] == known, "nothing of the history is lost"
    silent.close()


def handing_on(world, second):
    """Copies to further folders, exports for a removable drive, and an agent that has nothing else."""
    share, stick = world.folder / "share", world.folder / "stick"
    stick.mkdir()
    world.tasks({
        "update": {"schedule": {}},
        "copy": {"type": "copy", "options": {"folders": [str(share / "picket"), str(world.folder / "other")]}, "schedule": {"after": {"task": "update"}}},
        "ahead": {"type": "prefetch"},
    })
    world.reload("ahead")
    publish(world.publisher, 3)
    world.ctl("task", "run", "update")
    failed = world.ran("copy", trigger="after update")
    assert failed["result"] == "partial" and "share is no folder" in failed["text"], failed
    share.mkdir()
    world.ctl("task", "run", "copy")
    assert (share / "picket/metadata/1.root.json").exists() and (world.folder / "other/metadata/timestamp.json").exists()

    # The copy is a source as it is.
    second.tasks({"update": {"schedule": {}}}, folder_source(share / "picket", "share"))
    second.start()
    assert f"new from share: rules {world.rule().split()[1]}" in second.ctl("update", "run")
    assert second.rule() == world.rule()

    # So is what the publisher exports for the device, and what the agent exports by hand.
    publish(world.publisher, 4)
    device = world.folder / "device.json"
    device.write_text(second.ctl("component", "list", "--json"))
    out = world.publisher.do("export", device, stick / "picket")
    assert "rules full: release 4" in out, out
    second.tasks({"update": {"schedule": {}}, "by-drive": {"type": "update"}}, folder_source(stick / "picket", "drive"))
    second.reload("by-drive")
    assert "new from drive: rules" in second.ctl("task", "run", "by-drive")
    assert second.rule() == "release 4"
    exported = second.json("update", "export", stick / "from-agent")
    assert exported["kind"] == "export" and exported["components"][0]["result"] == "exported", exported
    assert sum(1 for path in (stick / "from-agent/targets").rglob("*") if path.is_file()) == 1
    refused = second.ctl("update", "export", stick, status=1)
    assert "is no repository, and is left alone" in refused, refused

    # Fetched in advance, then taken with no source at all.
    second.tasks({"update": {"schedule": {}}, "ahead": {"type": "prefetch"}}, folder_source(world.publisher.repository, "share"))
    second.reload("ahead")
    publish(world.publisher, 5)
    assert "fetched" in second.ctl("task", "run", "ahead")
    assert second.rule() == "release 4"
    second.tasks({"update": {"schedule": {}}, "alone": {"type": "update"}}, folder_source(world.folder / "unplugged", "gone"))
    second.reload("alone")
    assert "what was fetched in advance is taken" in second.ctl("task", "run", "alone")
    assert second.rule() == "release 5"
    second.end()


def verification(world):
    """What a plugin's task does not like goes back, and nobody gets to see it: no copy, no distribution point, not after a kill either."""
    place = world.folder / "share/verified"

    def tasks(verify, **options):
        world.tasks({
            "update": {"schedule": {}},
            verify: {"type": "verification", "options": {"testers": ["example-set-test"], "tester_options": options}},
            "hand-on": {"type": "copy", "options": {"folders": [str(place)]}, "schedule": {"after": {"task": verify}}},
            "on-news": {"type": "copy", "options": {"folders": [str(world.folder / "share/news")]}, "schedule": {"new_updates": {}}},
            "point": {"type": "distribution-point"},
        })

    def served():
        """What the distribution point has for the devices behind it, after a download."""
        wait_for("the point", lambda: world.run_ctl("point", "status", status=None).returncode == 0)
        world.run_ctl("task", "run", "point", status=None)  # partial where plugins here want what the publisher does not offer
        return next(wish["release"] for wish in world.json("point", "status")["wishes"] if wish["component"] == "rules")

    world.settings("org.picket.distribution-point", enabled=True, name="here", listen=["127.0.0.1"], http_port=0, interval_minutes=0, folder=str(world.folder / "mirror"))
    tasks("verify", refuse_release=6)
    world.reload("verify")
    assert "example-set-test" in world.json("task", "list")["types"]
    assert "release 5 is good" in world.ctl("task", "run", "verify")
    assert world.ran("hand-on", trigger="after verify")["result"] == "ok"
    assert world.ran("on-news", trigger="new-updates")["result"] == "ok", "release 5 was new here, and passed"
    handed_on = (place / "metadata/timestamp.json").read_bytes()
    publish(world.publisher, 6)
    refused = world.json("task", "run", "verify", status=1)
    assert refused["text"] == "not verified: example-set-test: release 6 is not good; rules is back at 5" and not refused["news"], refused
    assert world.rule() == "release 5"
    assert (place / "metadata/timestamp.json").read_bytes() == handed_on and len(world.history("hand-on")) == 1
    on_news = world.json("task", "show", "on-news")
    assert on_news["state"] == "idle" and on_news["next_run"] == 0 and len(world.history("on-news")) == 1, on_news
    publish(world.publisher, 7)
    world.ctl("task", "run", "verify")
    wait_for("the next copy", lambda: len(world.history("hand-on")) == 2)
    assert world.rule() == "release 7" and (place / "metadata/timestamp.json").read_bytes() != handed_on
    wait_for("the copy of what is new", lambda: len(world.history("on-news")) == 2)

    # Killed while its testers try it: it stays on trial, and the next verification takes it back although nothing is new.
    publish(world.publisher, 8)
    assert served() == 7, "the point serves what nobody has tried"
    tasks("held", hold=True)
    world.reload("held")
    world.ctl("task", "run", "held", "--detach")
    wait_for("release 8 to be on trial", lambda: world.component("rules").get("trial") and world.json("update", "status")["state"] == "idle")
    assert world.rule() == "release 8"
    world.end(signal.SIGKILL)
    tasks("verify", refuse_release=8)
    world.start()
    wait_for("the tester", lambda: "example-set-test" in world.json("task", "list")["types"])
    assert world.rule() == "release 8" and served() == 7, "the point serves what is on trial"
    assert "is on trial" in world.ctl("task", "run", "hand-on", status=1)
    refused = world.json("task", "run", "verify", status=1)
    assert refused["text"].endswith("release 8 is not good; rules is back at 7"), refused
    assert world.rule() == "release 7" and served() == 7, "the point serves what was refused here"


with workplace("tasks") as place, contextlib.ExitStack() as running:
    updates = Publisher(place / "publisher")
    first, second_one = (running.enter_context(World(place / name, updates)) for name in ("first", "second"))
    by_schedule(first)
    missed(first)
    handing_on(first, second_one)
    verification(first)
    long_work(first)
    first.end()
print("tasks run, are missed, handed on, cancelled, stopped, killed and remembered as they should")
