#!/usr/bin/env python3
"""A real picketd brings its plugins up to date."""
import json
import signal
import subprocess
import threading

import picket_site
from picket_site import BIN, BUILD, LIMIT, SOURCE, wait_for
from publishing import ECHO, PROBE, RULES, Agent, Publisher, echo, probe, run

SAMPLES = SOURCE / "tests" / "data" / "samples"


def plugins(work):
    publisher = Publisher(work)
    publisher.publish("yara-rules", 1, RULES, "databases")
    scanner = BUILD / "plugins" / "org.picket.scanner"
    version = next(scanner.iterdir())
    manifest = json.loads((version / "plugin.json").read_text())

    # Inside picketd: echo. In a child: the scanner, and a probe that is well or not as its manifest's defaults say.
    agent = Agent(work, publisher, f"plugin-component = picket-plugins\nin-process = org.picket.source-folder\nin-process = {ECHO}\n")
    agent.add_plugin("org.picket.scanner")
    library = work / "scanner.so"
    run("strip", "-o", library, version / "scanner.so")

    publisher.package(agent.home / "plugins", *probe("1.0.0", "bad_health", "never"))
    publisher.package(agent.home / "plugins", *echo("1.0.0"))
    agent.start()
    try:
        agent.ctl("update", "run", "--force", status=None)  # nothing of picket-plugins is there yet
        wait_for("the rules", lambda: agent.component("yara-rules")["release"] == 1, agent.log)
        before = agent.plugin("org.picket.scanner")

        # A new scanner: who scans meanwhile notices nothing, not even a moment without rules.
        one = work / "set1"
        publisher.package(one, {**manifest, "version": "9.0.0"}, library)
        publisher.package(one, *probe("2.0.0", "bad_health", "later"))
        publisher.package(one, *echo("9.0.0"))
        publisher.publish("picket-plugins", 1, one)
        failed, scans, done = [], [0], threading.Event()

        def scanning():
            while not done.is_set():
                answer = subprocess.run([str(BIN / "picketctl"), "--socket", str(agent.socket), "--json", "scan", str(SAMPLES / "server-log.txt")], capture_output=True, text=True, timeout=LIMIT)
                if answer.returncode not in (0, 4):
                    failed.append(answer.stdout + answer.stderr)
                    return
                scans[0] += 1

        client = threading.Thread(target=scanning)
        client.start()
        agent.ctl("update", "run", "--force")
        then = scans[0]
        wait_for("more scans", lambda: failed or scans[0] > then + 5)
        done.set()
        client.join()
        assert not failed, f"a scan failed while the new version took over: {failed}\n{agent.log()}"
        now = agent.plugin("org.picket.scanner")
        assert now["version"] == "9.0.0" and now["state"] == "running" and now["pid"] != before["pid"], now
        assert agent.plugin(PROBE)["version"] == "2.0.0"
        print(f"a new scanner took over; {scans[0]} scans meanwhile, none failed")
        # Inside picketd it waits for a restart, and says so.
        waiting = agent.plugin(ECHO)
        assert waiting["version"] != "9.0.0" and waiting["pending_version"] == "9.0.0", waiting
        assert "9.0.0 pending restart" in agent.ctl("plugin", "list") and "from the next start of picketd" in agent.ctl("status")

        # Versions that are no good: refused with the reason, the old one goes on, nothing of the set is used.
        for release, (bad, said) in enumerate([(probe("3.0.0", "bad_crash_static", "never"), "signal 11"), (probe("3.1.0", "bad_crash", "start"), "signal 11"),
                                               (probe("3.2.0", "bad_hang", "start"), "start"), (probe("3.3.0", "bad_health", "failed"), "nothing works")], 2):
            was = agent.plugin(PROBE)
            echo_was = agent.plugin(ECHO)
            content = work / f"set{release}"
            publisher.package(content, *echo(f"9.{release}.0"))
            publisher.package(content, *bad)
            publisher.publish("picket-plugins", release, content)
            agent.ctl("update", "run", "--force", status=None)
            for name, old in ((PROBE, was), (ECHO, echo_was)):
                new = agent.plugin(name)
                for field in ("version", "pid", "state", "restarts", "pending_version"):
                    assert new.get(field) == old.get(field), (old, new)
            last = agent.json("update", "history")["runs"][0]["components"]
            text = next(component["text"] for component in last if component["component"] == "picket-plugins")
            assert "was refused by picket.self" in text and PROBE in text and said in text, text
            assert agent.component("picket-plugins")["release"] == 1
            print(f"refused: {text}")

        # After a restart: what was confirmed is loaded, not the highest version on the disk.
        for by in (signal.SIGTERM, signal.SIGKILL):
            agent.end(by)
            agent.start()
            versions = {name: agent.plugin(name)["version"] for name in (PROBE, "org.picket.scanner", ECHO)}
            assert versions == {PROBE: "2.0.0", "org.picket.scanner": "9.0.0", ECHO: "9.0.0"}, versions
        # A good one after bad ones; then back.
        content = work / "set6"
        publisher.package(content, *probe("4.0.0", "bad_health", "never"))
        publisher.publish("picket-plugins", 6, content)
        agent.ctl("update", "run", "--force")
        assert agent.plugin(PROBE)["version"] == "4.0.0"
        wait_for("the scanner as it was installed", lambda: agent.plugin("org.picket.scanner")["version"] == manifest["version"], agent.log)
        agent.ctl("update", "rollback", "picket-plugins")
        versions = {name: agent.plugin(name)["version"] for name in (PROBE, "org.picket.scanner")}
        assert versions == {PROBE: "2.0.0", "org.picket.scanner": "9.0.0"}, versions
        print("confirmed versions outlive restarts, and a rollback brings them back")
    finally:
        agent.end()


with picket_site.workplace("self") as work:
    plugins(work)
