#!/usr/bin/env python3
"""A real picketd brings Picket itself up to date: its plugins (argument plugins), those that serve clients (point, reputation), and picketd by way of picket-launcher (agent)."""
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import picket_site
from picket_site import BIN, BUILD, LIMIT, SOURCE, folder_source, wait_for

RULES = SOURCE / "tests" / "data" / "yara-rules" / "r1"
SAMPLES = SOURCE / "tests" / "data" / "samples"
PROBE = "org.picket.test.bad"       # the ids that the conformance tests' plugins have
ECHO = "org.picket.test.good-echo"


def run(*command, status=0):
    return picket_site.run(*command, status=status).stdout


class Publisher(picket_site.Publisher):
    def __init__(self, work):
        super().__init__(work / "publisher")

    def publish(self, component, release, content, cls="agent"):
        # No deltas: between plugins that are not stripped they take minutes, and are tested elsewhere.
        self.add(component, release, content, "--class", cls, "--deltas", 0)
        super().publish()

    def package(self, into, manifest, library):
        """A signed package of a plugin, as an author makes it."""
        source = self.folder.parent / "manifest.json"
        source.write_text(json.dumps({key: value for key, value in manifest.items() if key != "sha256"}))
        run(BIN / "picket-plugin-pack", "--manifest", source, "--library", library, "--development-key", BUILD / "devkey", "--output", into)


class Agent(picket_site.Agent):
    def __init__(self, work, publisher, more, launcher=()):
        super().__init__(work / "agent", publisher, {"child-program": BIN / "picket-plugin-host"}, ["org.picket.source-folder"], launcher)
        with open(self.folder / "picketd.conf", "a") as config:
            config.write(more)
        self.update_from(folder_source(publisher.repository), keep_sets=3)
        self.home = self.folder


def plugin_library(name):
    return BUILD / "tests" / "conformance" / "host" / "plugins" / f"{name}.so"


def echo(version):
    return {"manifest": 1, "id": ECHO, "version": version, "vendor": "test", "file": "plugin.so", "abi": {"major": 1}, "topics": {"answers": ["test.echo"], "subscribes": ["test.event"]},
            "isolation": {"preferred": "in-process"}, "settings_schema": {"type": "object"}}, plugin_library("good_echo")


def probe(version, library, when):
    """Manifest and library of a plugin that is well or not, as its settings' default says."""
    return {"manifest": 1, "id": PROBE, "version": version, "vendor": "test", "file": "plugin.so", "abi": {"major": 1}, "topics": {"answers": ["test.bad"], "subscribes": ["test.event"]},
            "limits": {"callback_ms": 500}, "settings_schema": {"type": "object", "properties": {"when": {"type": "string", "default": when}}}}, plugin_library(library)


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


class Clients:
    """Each does its request fifty times a second at most until it is told to stop; what failed they keep."""

    def __init__(self, **requests):
        self.failed, self.done = [], threading.Event()
        self.count = dict.fromkeys(requests, 0)
        self.threads = [threading.Thread(target=self.run, args=request) for request in requests.items()]
        for thread in self.threads:
            thread.start()

    def run(self, name, request):
        try:
            while not self.done.is_set():
                request()
                self.count[name] += 1
                self.done.wait(0.02)
        except Exception as error:  # noqa: BLE001: whatever it is, the test tells it
            self.failed.append(f"{name}: {error!r}")

    def more(self):
        """Each of them has begun and ended a request since."""
        then = dict(self.count)
        wait_for("more requests", lambda: self.failed or all(self.count[name] > then[name] + 1 for name in then))

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


def fresh(connect, ask):
    """On a new connection each time, of which nothing is forgiven."""
    def request():
        connection = connect()
        ask(connection)
        connection.close()
    return request


def kept(connect, ask):
    """On one that is kept: a server may close it between two requests, and every client asks once more then."""
    connection = connect()

    def request():
        try:
            ask(connection)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
            connection.close()
            ask(connection)
    return request


def answer_to(connection, method, path):
    connection.request(method, path, body=b"" if method == "POST" else None)
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    return answer


def answers(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def point(work):
    """A distribution point gets new versions while clients download from it."""
    point_id = "org.picket.distribution-point"
    publisher = Publisher(work)
    publisher.publish("yara-rules", 1, RULES, "databases")
    big = work / "big"
    big.mkdir()
    (big / "data").write_bytes(os.urandom(3_000_000))
    publisher.publish("big", 1, big, "databases")
    version = next((BUILD / "plugins" / point_id).iterdir())
    manifest = json.loads((version / "plugin.json").read_text())
    library = work / "point.so"
    run("strip", "-o", library, version / manifest["file"])
    agent = Agent(work, publisher, "plugin-component = picket-plugins\nin-process = org.picket.source-folder\n")
    agent.add_plugin(point_id)
    port = free_port()
    mirror = agent.home / "mirror"
    (agent.home / "settings" / f"{point_id}.json").write_text(json.dumps({
        "enabled": True, "listen": ["127.0.0.1"], "http_port": port, "folder": str(mirror), "start_delay_seconds": 1, "free_space_warning_mb": 0,
        "components": [{"component": "yara-rules"}, {"component": "big"}]}))
    agent.start()
    clients = None
    try:
        # Not only published: served, which it is a moment later.
        wait_for("the first set", lambda: answers(port, "/metadata/timestamp.json"), agent.log)
        target = max((mirror / "public").rglob("targets/big/**/*"), key=lambda path: path.stat().st_size if path.is_file() else -1)
        path, digest = "/" + str(target.relative_to(mirror / "public")), hashlib.sha256(target.read_bytes()).hexdigest()

        def connect():
            return http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)

        def timestamp(connection):
            json.loads(answer_to(connection, "GET", "/metadata/timestamp.json").read())

        def slow(connection):
            answer, found = answer_to(connection, "GET", path), hashlib.sha256()
            while part := answer.read(65536):
                found.update(part)
                time.sleep(0.02)
            assert found.hexdigest() == digest, "not the bytes that were asked for"

        def start_clients():
            return Clients(fresh=fresh(connect, timestamp), kept=kept(connect, timestamp), slow=fresh(connect, slow))

        clients = start_clients()
        clients.more()

        def told(text):
            return (agent.home / "out").read_text().count(text)

        def exchanged(to, by):
            was, downloads, stops = agent.plugin(point_id), told("download: ok"), told("the version before has stopped")
            by()
            now = agent.plugin(point_id)
            assert now["version"] == to and now["state"] == "running" and now["health"] == "healthy" and now["pid"] != was["pid"], (now, agent.log())
            wait_for("the word that it has the ports and the folder", lambda: told("the version before has stopped") == stops + 1, agent.log)
            wait_for("a download of its own", lambda: told("download: ok") > downloads, agent.log)
            clients.more()
            assert not clients.failed, f"{clients.failed}\n{agent.log()}"

        for release in (1, 2):
            content = work / f"set{release}"
            publisher.package(content, {**manifest, "version": f"9.{release}.0"}, library)
            publisher.publish("picket-plugins", release, content)
            exchanged(f"9.{release}.0", lambda: agent.ctl("update", "run", "--force"))
        exchanged("9.1.0", lambda: agent.ctl("update", "rollback", "picket-plugins"))
        print(f"a distribution point was exchanged three times; requests meanwhile, none failed: {clients.count}")
        clients.end()

        # One that was killed comes back on the same port.
        was = agent.plugin(point_id)
        os.kill(was["pid"], signal.SIGKILL)
        wait_for("another process", lambda: agent.plugin(point_id)["pid"] not in (0, was["pid"]) and agent.plugin(point_id)["state"] == "running", agent.log)
        clients = start_clients()
        clients.more()
        assert not clients.failed, clients.failed
    finally:
        if clients is not None:
            clients.end()
        agent.end()


def reputation(work):
    """So do a private KSN and a KSN proxy, which have a port each, the proxy a folder too."""
    publisher = Publisher(work)
    publisher.publish("yara-rules", 1, RULES, "databases")
    agent = Agent(work, publisher, "plugin-component = picket-plugins\nin-process = org.picket.source-folder\n")
    ports = {"org.picket.ksn-service": free_port(), "org.picket.ksn-proxy": free_port()}
    ksn = work / "ksn"
    run(BIN / "picket-ksn", "init", ksn, "--name", "Test KSN", "--server", f"https://127.0.0.1:{ports['org.picket.ksn-service']}", "--listen", "127.0.0.1")
    # Who greets is admitted as who asks: here anybody, as fast as it answers.
    service = json.loads(next(ksn.rglob("org.picket.ksn-service.json")).read_text())
    service |= {"licences_required": False, "limits": {"installation_per_minute": 0, "address_per_minute": 0}}
    (agent.home / "settings" / "org.picket.ksn-service.json").write_text(json.dumps(service))
    keys = work / "keys"
    keys.mkdir()
    shutil.copy(ksn / "provider.pub.json", keys)
    proxy = {"enabled": True, "address": "127.0.0.1", "port": ports["org.picket.ksn-proxy"], "folder": str(agent.home / "proxy"), "names": ["127.0.0.1"],
             "provider_file": str(ksn / "provider.json"), "provider_keys": str(keys)}
    (agent.home / "settings" / "org.picket.ksn-proxy.json").write_text(json.dumps(proxy))
    content = work / "set1"
    for plugin in ports:
        version = next((BUILD / "plugins" / plugin).iterdir())
        manifest = json.loads((version / "plugin.json").read_text())
        library = work / manifest["file"]
        run("strip", "-o", library, version / manifest["file"])
        publisher.package(content, {**manifest, "version": "9.0.0"}, library)
        agent.add_plugin(plugin)
    clients = None
    agent.start()
    try:
        wait_for("the proxy's certificate", lambda: (agent.home / "proxy" / "tls" / "server.pem").exists(), agent.log)
        trust = {"org.picket.ksn-service": ksn / "tls" / "authority.pem", "org.picket.ksn-proxy": agent.home / "proxy" / "tls" / "server.pem"}

        def connect(plugin):
            return lambda: http.client.HTTPSConnection("127.0.0.1", ports[plugin], timeout=LIMIT, context=ssl.create_default_context(cafile=trust[plugin]))

        def hello(connection):
            assert b"Test KSN" in answer_to(connection, "POST", "/ksn/v1/hello").read()

        def answers(plugin):
            try:
                hello(connect(plugin)())
                return True
            except OSError:
                return False

        for plugin in ports:
            wait_for(plugin, lambda: answers(plugin), agent.log)
        clients = Clients(**{f"{kind.__name__} {plugin}": kind(connect(plugin), hello) for plugin in ports for kind in (fresh, kept)})
        clients.more()
        publisher.publish("picket-plugins", 1, content)

        def exchanged(by):
            was = {plugin: agent.plugin(plugin) for plugin in ports}
            by()
            for plugin, before in was.items():
                now = agent.plugin(plugin)
                assert now["version"] != before["version"] and now["pid"] != before["pid"] and now["state"] == "running" and now["health"] == "healthy", (now, agent.log())
            clients.more()
            assert not clients.failed, f"{clients.failed}\n{agent.log()}"

        exchanged(lambda: agent.ctl("update", "run", "--force"))
        publisher.publish("picket-plugins", 2, work / "set1")  # the same again: nothing to do
        agent.ctl("update", "run", "--force")
        assert all(agent.plugin(plugin)["version"] == "9.0.0" for plugin in ports)
        clients.end()
        assert not clients.failed, clients.failed
        print(f"a private KSN and a KSN proxy were exchanged; requests meanwhile, none failed: {clients.count}")
    finally:
        if clients is not None:
            clients.end()
        agent.end()


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


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="picket-self-"))
    try:
        {"plugins": plugins, "point": point, "reputation": reputation, "agent": agent_itself}[sys.argv[1]](work)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(work)], check=False)
        shutil.rmtree(work, ignore_errors=True)


main()
