#!/usr/bin/env python3
"""None of them stops an update: a real picketd brings new releases, rolls a bad one back and scans while plugins of every bad kind crash, hang,
flood the bus and the log, lie, throw and refuse to stop beside it. Each of them ends up in its own state, with the reason."""
import json
import subprocess

from picket_site import BIN, BUILD, LIMIT, SOURCE, Agent, Publisher, folder_source, run, wait_for, workplace

RULES, SAMPLES = SOURCE / "tests" / "data" / "yara-rules", SOURCE / "tests" / "data" / "samples"
LIBRARIES = BUILD / "tests" / "conformance" / "host" / "plugins"
BUILT_AS = "org.picket.test.bad"  # the id in each of those libraries


class Bad:
    """One bad plugin: `library` of tests/conformance/host/plugins, doing its bad thing at `when`. `state` and `reason`: what becomes of it; `again`:
    that it is started again (None: that does not matter); `home`: where it runs."""

    def __init__(self, name, library, when, state, reason="", again=False, health=None, home="isolated", restart=False):
        self.id = f"org.picket.test.{name}"
        self.library, self.when, self.state, self.reason, self.again, self.health, self.home, self.restart = library, when, state, reason, restart or again, health, home, restart

    def install(self, agent):
        # Another id of the same length in its place: the tests of the host have one of them at a time, here all are there together.
        library = (LIBRARIES / f"{self.library}.so").read_bytes()
        assert len(self.id) == len(BUILT_AS) and BUILT_AS.encode() in library
        folder = agent.folder / "bad" / self.id
        folder.mkdir(parents=True)
        (folder / "bad.so").write_bytes(library.replace(BUILT_AS.encode(), self.id.encode()))
        (folder / "plugin.json").write_text(json.dumps({
            "manifest": 1, "id": self.id, "version": "1.0.0", "vendor": "test", "file": "bad.so", "abi": {"major": 1},
            "isolation": {"preferred": self.home, "minimum": "in-process" if self.home == "in-process" else "isolated"},
            "limits": {"callback_ms": 500, "memory_mb": 64},
            "topics": {"publishes": [{"topic": "test.event", "kind": "event"}], "subscribes": ["test.event"], "asks": ["test.echo"], "answers": []},
            "settings_schema": {"type": "object"}}))
        run(BIN / "picket-plugin-pack", "--manifest", folder / "plugin.json", "--library", folder / "bad.so", "--development-key", BUILD / "devkey", "--output", agent.plugins)
        agent.settings(self.id, when=self.when)

    def shown(self, agent):
        now = agent.plugin(self.id)
        is_so = now["state"] == self.state and self.reason in now["text"] and (self.health is None or now["health"] == self.health) and now["home"] == self.home
        return now if is_so and self.again in (None, now["restarts"] > 0) else None


BADS = [
    Bad("crs", "bad_crash", "start", "failed", "given up after", again=True),
    Bad("crm", "bad_crash", "message", "failed", "signal 11", again=True),
    Bad("cst", "bad_crash_static", "never", "refused", "signal 11"),
    Bad("hgs", "bad_hang", "start", "failed", "did not start within", again=True),
    Bad("hgm", "bad_hang", "message", "failed", "on_message has been running for", again=True),
    Bad("hgp", "bad_hang", "stop", "running", restart=True),
    Bad("stb", "bad_stubborn", "never", "running", restart=True),
    # A machine that is busy with other things may starve their children, which then count as silent.
    Bad("flp", "bad_flood", "publish", "running", again=None),
    Bad("fll", "bad_flood", "log", "running", again=None),
    Bad("lie", "bad_lies", "never", "running", home="in-process"),
    Bad("thd", "bad_thread", "never", "running", home="in-process", restart=True),
    Bad("thr", "bad_throw", "message", "running", home="in-process"),
    Bad("ill", "bad_health", "failed", "running", "nothing works", health="failed"),
]


class Host(Agent):
    def log(self):
        """The end of it, without what floods it."""
        return "".join(line[:300] + "\n" for line in (self.folder / "log").read_text(errors="replace").splitlines()[-2000:] if "x" * 50 not in line and "through the contract" not in line)[-6000:]


def release(publisher, number, folder):
    publisher.add("yara-rules", number, RULES / folder)
    publisher.publish()


def update(agent, status=0):
    """Runs an update, and meanwhile scans, and restarts the plugins that refuse to stop: each scan is answered. Returns what the update says."""
    started = subprocess.Popen([str(BIN / "picketctl"), "--socket", str(agent.socket), "update", "run", "--json"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for bad in BADS:
            if bad.restart:
                agent.ctl("plugin", "restart", bad.id)
        scans = 0
        while started.poll() is None or scans == 0:
            scan(agent)
            scans += 1
        out, err = started.communicate(timeout=LIMIT)
    finally:
        if started.poll() is None:
            started.kill()
            started.communicate()
    assert started.returncode == status, (started.returncode, out, err)
    print(f"an update beside them: status {status}, {scans} scans answered meanwhile", flush=True)
    return json.loads(out)["data"]


def scan(agent):
    found = agent.json("scan", SAMPLES / "server-log.txt", status=4)["findings"]
    assert len(found) == 1 and found[0]["decided_by"] == "rule", found


def has(agent, folder):
    files = lambda place: {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    return files(agent.current("yara-rules")) == files(RULES / folder)


def main(work):
    publisher = Publisher(work / "publisher")
    release(publisher, 1, "r1")
    granted = [bad.id for bad in BADS if bad.home == "in-process"]
    with Host(work / "agent", publisher, {"log-file": work / "agent" / "log", "in-process": ["org.picket.source-folder", *granted]},
              ["org.picket.source-folder", "org.picket.scanner"]) as agent:
        for bad in BADS:
            bad.install(agent)
        agent.update_from(folder_source(publisher.repository), components=["yara-rules"])
        agent.start()
        agent.ctl("update", "run")
        assert has(agent, "r1")

        release(publisher, 2, "r2")
        update(agent)
        assert has(agent, "r2")
        release(publisher, 3, "bad")
        update(agent, status=1)
        assert has(agent, "r2"), "a bad release was not taken back"
        release(publisher, 4, "r3")
        update(agent)
        assert has(agent, "r3")

        for bad in BADS:
            why = lambda bad=bad: json.dumps(agent.plugin(bad.id))
            now = wait_for(f"{bad.id} ({bad.library}, {bad.when}) to be {bad.state}, '{bad.reason}'", lambda bad=bad: bad.shown(agent), why)
            print(f"{bad.library}, {bad.when}: {now['state']}, {now['health']}, started again {now['restarts']} times; {now['text']}", flush=True)
        assert agent.json("plugin", "info", "org.picket.test.lie")["denied"] > 0
        for good in ("org.picket.source-folder", "org.picket.scanner"):
            now = agent.plugin(good)
            assert (now["state"], now["health"], now["restarts"]) == ("running", "healthy", 0), now
        assert agent.process.poll() is None
        scan(agent)
        agent.end()


with workplace("bad-neighbours") as place:
    main(place)
print("updates, a rollback and scans went on beside all of them")
