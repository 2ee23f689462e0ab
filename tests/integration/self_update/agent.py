#!/usr/bin/env python3
"""picketd gets a new version of itself by way of picket-launcher, or goes back."""
import json
import os
import shutil
import signal
import subprocess

import picket_site
from picket_site import BIN, BUILD, LIMIT, wait_for
from publishing import PROBE, Agent, Publisher, probe, run


def agent_itself(work):
    publisher = Publisher(work)
    agent = Agent(work, publisher, "in-process = org.picket.source-folder\n",
                  [BIN / "picket-launcher", "--slots", work / "agent" / "data" / "slots", "--settle", "1", "--prove-within", "20", "--"])
    version = run(BIN / "picketd", "--version").split()[1]

    def release(number, picketd=None):
        content = work / f"release{number}"
        (content / "bin").mkdir(parents=True)
        # The programs of this build, by way of small ones: with sanitizers they are so large that packing them takes minutes.
        for name in ("picketd", "picket-plugin-host"):
            (content / "bin" / name).write_text(f"#!/bin/sh\n# of release {number}\nexec '{BIN / name}' \"$@\"\n")
        (content / "bin" / "picketctl").write_text(f"#!/bin/sh\necho picketctl of release {number} >&2\nexec '{BIN}/picketctl' \"$@\"\n")
        if picketd is not None:
            (content / "bin" / "picketd").write_text(f"#!/bin/sh\n[ \"$1\" != --version ] || {{ echo picketd {version}; exit 0; }}\n{picketd}\n")
        run(BIN / "picket-plugin-pack", "--release", content, "--version", version, "--development-key", BUILD / "devkey")
        publisher.publish("picket-agent", number, content)

    def host():
        return json.loads(agent.ctl("status", "--json"))["data"]["host"]

    def settled(what, condition):
        def is_so():
            try:
                return condition(host())
            except (AssertionError, KeyError):
                assert agent.process.poll() is None, agent.log()
                return False  # picketd is being restarted
        wait_for(what, is_so, agent.log)

    def history():
        return [(run["kind"], component["result"], component["text"]) for run in agent.json("update", "history")["runs"] for component in run["components"] if component["component"] == "picket-agent"]

    def picketctl_of():
        """Which one the installed picketctl leads to."""
        done = subprocess.run([str(BIN / "picketctl"), "--socket", str(agent.socket), "--version"], capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0 and done.stdout == f"picketctl {version}\n", done
        return done.stderr.strip() or "the installed one"

    release(1)
    agent.start()
    try:
        assert host()["slot"] == "package", host()
        assert picketctl_of() == "the installed one"
        was = host()["pid"]
        said = agent.ctl("update", "run", "--force")  # is answered before picketd ends
        assert "updated" in said or "installed in slot A" in said, said
        settled("slot A", lambda now: now["slot"] == "a" and "confirmed" in now["slot_text"])
        assert host()["pid"] != was and "of release 1" in (agent.home / "data" / "slots" / "a" / "bin" / "picketd").read_text()
        wait_for("the confirmation", lambda: history()[0][:2] == ("start", "confirmed"), history)
        assert picketctl_of() == "picketctl of release 1"
        told = history()
        assert told[0] == ("start", "confirmed", f"picketd {version} of slot A is confirmed"), told
        assert told[1][0] == "update" and "is installed in slot A" in told[1][2], told
        assert "slot A" in agent.ctl("status") and "confirmed" in agent.ctl("status")
        print(f"a new picketd: {told[1][2]}; then: {told[0][2]}")

        # Each of these is taken back without a person, and picketd of slot A goes on.
        bad = {"ends at once": ("exit 3", "it ended with status 3 before it was well, 3 times"), "hangs and does not want to end": ("trap '' TERM; while :; do sleep 0.1; done", "was not well within 20 s"),
               "is never ready": ("exec sleep 1000", "was not well within 20 s")}
        for number, (name, (script, why)) in enumerate(bad.items(), 2):
            release(number, script)
            agent.ctl("update", "run", "--force")
            settled(name, lambda now: now["slot"] == "a" and why in now["slot_text"] and f"({number}-full-" in now["slot_text"])
            wait_for("the refusal", lambda: history()[0][:2] == ("start", "refused"), history)
            print(f"{name}: {history()[0][2]}")
            assert why in history()[0][2] and "slot B" in history()[0][2], history()
            assert agent.component("picket-agent")["release"] == 1, agent.component("picket-agent")
            assert "taken back" in agent.ctl("status")
            agent.ctl("update", "run", "--force", status=None)  # is not tried again
            settled("no second trial", lambda now: now["slot"] == "a" and "confirmed" in now["slot_text"])

        # What was not signed, or is not what was signed, or does not run here is refused before anything is stopped.
        was = host()["pid"]
        release(5, "exit 3")
        tampered = work / "release6"
        shutil.copytree(work / "release1", tampered)
        with open(tampered / "bin" / "picketd", "ab") as program:
            program.write(b"exit\n")
        publisher.publish("picket-agent", 6, tampered)
        agent.ctl("update", "run", "--force", status=None)
        last = next(component for component in agent.json("update", "history")["runs"][0]["components"] if component["component"] == "picket-agent")
        assert last["result"] == "refused" and "picketd" in last["text"], last
        assert host()["pid"] == was
        print(f"not what was signed: {last['text']}")

        # A good one after the bad ones, and after kill -9 of all: the confirmed one starts.
        release(7)
        plugin = work / "plugin"
        publisher.package(plugin, *probe("1.0.0", "bad_health", "never"))
        publisher.publish("picket-plugins", 1, plugin)  # in the same run: it does not wait for the restart
        said = agent.ctl("update", "run", "--force")
        assert "picket-plugins  updated" in said, said
        settled("slot B", lambda now: now["slot"] == "b" and "confirmed" in now["slot_text"])
        wait_for("the confirmation", lambda: history()[0][:2] == ("start", "confirmed"), history)
        agent.end(signal.SIGKILL)
        wait_for("the end of picketd", lambda: not agent.socket.exists() or subprocess.run([str(BIN / "picketctl"), "--socket", str(agent.socket), "status"], capture_output=True, timeout=LIMIT).returncode != 0)
        agent.start()
        assert host()["slot"] == "b", host()
        assert agent.plugin(PROBE)["version"] == "1.0.0"
        # And back, by the administrator's word.
        assert picketctl_of() == "picketctl of release 7"
        agent.ctl("update", "rollback", "picket-agent")
        settled("slot A again", lambda now: now["slot"] == "a" and "confirmed" in now["slot_text"])
        assert picketctl_of() == "picketctl of release 1"
        print("the next good one is in slot B, outlives kill -9, and a rollback brings slot A back")

        # One that is well, and crashes again and again once it counts: the launcher is started again each time, as systemd does.
        crashes = work / "crashes"
        release(8, f"[ ! -e '{crashes}' ] || kill -ABRT $$\nexec '{BIN}/picketd' \"$@\"")
        agent.ctl("update", "run", "--force")
        settled("slot B", lambda now: now["slot"] == "b" and "confirmed" in now["slot_text"])
        wait_for("the confirmation", lambda: history()[0][:2] == ("start", "confirmed"), history)
        crashes.touch()
        os.kill(host()["pid"], signal.SIGABRT)
        assert agent.process.wait(LIMIT) == 128 + signal.SIGABRT, agent.log()
        agent.process = subprocess.Popen(agent.process.args, stdin=subprocess.DEVNULL, stdout=open(agent.home / "out", "ab"), stderr=subprocess.STDOUT)
        assert agent.process.wait(LIMIT) == 128 + signal.SIGABRT, agent.log()
        agent.start()
        settled("slot A", lambda now: now["slot"] == "a" and "3 crashes in its first" in now["slot_text"])
        wait_for("the refusal", lambda: history()[0][:2] == ("start", "refused"), history)
        assert "was taken back from slot B" in history()[0][2], history()
        assert agent.component("picket-agent")["release"] == 1, agent.component("picket-agent")
        assert "taken back" in agent.ctl("status")
        print(f"crashes after it was confirmed: {history()[0][2]}")
    finally:
        agent.end()


with picket_site.workplace("self") as work:
    agent_itself(work)
