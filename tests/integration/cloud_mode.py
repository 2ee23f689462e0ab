#!/usr/bin/env python3
"""Cloud mode keeps detection: a real picketd goes from full digest databases to light ones and back, on a corpus of files whose digests real
lists hold. The lists are a sample of signature-base and maltrail, and, when they are there, all of them: `sigbase-weekly.tar.zst`,
`maltrail-hashset-daily.tar.zst` and `maltrail-flat-daily.tar.zst` in the folder that PICKET_SERIES names, or in shared/data beside the source.

KSN is a private one of our own, asked by the KSN client over HTTPS; where picket-ksn was not built, a stand-in plugin plays the client."""
import hashlib
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
SOURCE = pathlib.Path(os.environ["PICKET_SOURCE"])
DATA = SOURCE / "tests" / "data"
SERIES = pathlib.Path(os.environ.get("PICKET_SERIES", SOURCE.parent / "shared" / "data"))
LIMIT = 60.0  # of every wait


def run(*command, status=0):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * LIMIT)
    assert done.returncode == status, f"{command} ended with {done.returncode}, not {status}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_for(what, condition):
    until = time.monotonic() + LIMIT
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.05)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Lists:
    """What the publisher has: lists of digests, and files of his whose digests are in them."""

    def __init__(self, work, name):
        self.folder = work / name
        self.folder.mkdir()
        self.evil, self.ksn, self.corpus = [], [], []  # `ksn`: the same for picket-ksn

    def sample(self):
        trails = (DATA / "digests" / "trails.txt").read_text().splitlines()
        (self.folder / "trails.txt").write_text("".join(f"{digest(trail)};{trail}\n" for trail in trails))
        self.evil = self.ksn = [DATA / "digests" / "hash-iocs.txt", self.folder / "trails.txt"]
        self.corpus = trails
        return self

    def whole(self):
        def unpack(archive, member):
            tar = f"zstd -dc --long=27 '{SERIES / archive}.tar.zst' | tar -x -C '{self.folder}' '{member}'"
            subprocess.run(["bash", "-o", "pipefail", "-c", tar], check=True, timeout=2 * LIMIT)
            return self.folder / member

        iocs = unpack("sigbase-weekly", "./v12/iocs/hash-iocs.txt")
        digests = unpack("maltrail-hashset-daily", "./v12/set.bin")
        trails = unpack("maltrail-flat-daily", "./v12/trails.txt").read_text().splitlines()
        self.evil = [iocs, digests]
        content = digests.read_bytes()
        (self.folder / "set.txt").write_text("".join(content[at:at + 32].hex() + ";maltrail\n" for at in range(0, len(content), 32)))
        self.ksn = [iocs, self.folder / "set.txt"]
        self.corpus = [trail for trail in trails[::500] if int(digest(trail)[:2], 16) < 0x40]  # of these the set holds the digests
        return self


class StandIn:
    config = f"plugin-dir = {BUILD}/third-party-plugins\ndisabled = org.example.crasher\ndisabled = org.picket.ksn-client\n"

    def __init__(self, world, lists):
        self.database = str(world.known)

    def use(self, world, yes):
        world.policy({"org.example.ksn-stand-in": {"settings": {"in_use": yes, "database": self.database}}})

    def die(self, world):
        self.database = ""
        self.use(world, True)

    def end(self):
        pass


class PrivateKsn:
    config = ""

    def __init__(self, world, lists):
        self.folder = world.home / "ksn"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.log = world.home / "ksn.log"
        command = [BIN / "picket-ksn", "run", self.folder, "--name", "Test KSN", "--server", f"https://127.0.0.1:{port}", "--listen", "127.0.0.1", "--", "--plugin-dir", BUILD / "plugins",
                   "--plugin-keys", BUILD / "devkey"]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)

        self.accepted = False
        try:
            self.fill(world, lists, port)
        except BaseException:
            self.end()
            raise

    def fill(self, world, lists, port):
        def listens():
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for("the private KSN", listens)
        run(BIN / "picket-ksn", "licence", "add", "L-1", "--until", "2099-12-31", "--ksn", self.folder)
        run(BIN / "picket-ksn", "import", *lists.ksn, "--verdict", "untrusted", "--kind", "file", "--category", "malware", "--ksn", self.folder)
        run(BIN / "picket-ksn", "import", world.good, "--verdict", "trusted", "--kind", "file", "--ksn", self.folder)
        keys = world.home / "ksn-keys"
        keys.mkdir()
        shutil.copy(self.folder / "provider.pub.json", keys)
        (world.home / "settings" / "org.picket.ksn-client.json").write_text(json.dumps({
            "provider_file": str(self.folder / "provider.json"), "provider_keys": str(keys), "licence": "L-1", "use_proxy": False, "web_proxy": "none", "fallback_resolvers": [],
            "folder": str(world.home / "ksn-state"), "statements_folder": str(SOURCE / "installer" / "statements")}))

    def use(self, world, yes):
        if not yes:
            if self.accepted:
                world.ctl("ksn", "disable")
        elif self.accepted:
            world.ctl("ksn", "enable")
        else:
            world.ctl("ksn", "statement", "accept")
            self.accepted = True

    def die(self, world):
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(LIMIT)


class World:
    def __init__(self, work, name, lists, kind_of_ksn):
        self.home = work / name
        (self.home / "settings").mkdir(parents=True)
        self.publisher = self.home / "publisher"
        self.revision = 0
        self.release = 0
        self.publish(lists)
        (self.home / "admin").mkdir()
        run(BIN / "picket-repo", "key", "gen", "--keys", self.home / "admin", "policy")
        (self.home / "policy-keys").mkdir()
        shutil.copy(self.home / "admin" / "policy.pub.json", self.home / "policy-keys")
        self.socket = self.home / "run" / "picketd.sock"
        self.ksn = kind_of_ksn(self, lists)
        config = self.home / "picketd.conf"
        config.write_text(
            f"data-dir = {self.home}/data\nrun-dir = {self.home}/run\nplugin-dir = {BUILD}/plugins\nplugin-keys = {BUILD}/devkey\n{kind_of_ksn.config}"
            f"policy-keys = {self.home}/policy-keys\nsettings-dir = {self.home}/settings\nupdate-root = {self.publisher}/repository/metadata/1.root.json\n"
            f"in-process = org.picket.source-folder\nin-process = org.picket.cloud-mode\n"
            f"device = {name}\nlog-file = {self.home}/log\n")
        self.daemon = subprocess.Popen([str(BIN / "picketd"), "--config", str(config)], stdin=subprocess.DEVNULL, stdout=open(self.home / "out", "ab"), stderr=subprocess.STDOUT)
        wait_for("picketd", self.answers)
        self.policy({})

    def answers(self):
        assert self.daemon.poll() is None, f"picketd ended: {(self.home / 'out').read_text()}"
        return subprocess.run([str(BIN / "picketctl"), "--socket", str(self.socket), "update", "status"], capture_output=True, timeout=LIMIT).returncode == 0

    def publish(self, lists):
        """The commands of sdk/tools/digests/README.md."""
        self.release += 1
        if self.release == 1:
            run(BIN / "picket-repo", "init", "--repo", self.publisher)
            for variant in ("full", "light"):
                run(BIN / "picket-repo", "add", "--repo", self.publisher, "--component", "yara-rules", "--variant", variant, "--release", 1, DATA / "yara-rules" / ("r3" if variant == "full" else "r3-light"))
        self.good = self.home / "good.txt"
        self.good.write_text(hashlib.sha256((DATA / "samples" / "server-log.txt").read_bytes()).hexdigest() + "\n")
        self.bytes = {}
        for variant in ("full", "light"):
            out = self.home / "made" / str(self.release) / variant
            run(BIN / "picket-digests", "make", "--variant", variant, *lists.evil, "--trusted", self.good, out)
            for each in lists.evil:
                run(BIN / "picket-digests", "check", out, "--against", each)
            self.bytes[variant] = (out / f"digests.{variant}").stat().st_size
            run(BIN / "picket-repo", "add", "--repo", self.publisher, "--component", "digests", "--variant", variant, "--release", self.release, out)
        run(BIN / "picket-repo", "sign", "--repo", self.publisher)
        run(BIN / "picket-repo", "publish", "--repo", self.publisher)
        self.known = self.home / "made" / str(self.release) / "full"

    def ctl(self, *words, status=0):
        return run(BIN / "picketctl", "--socket", self.socket, *words, status=status)

    def policy(self, more):
        self.revision += 1
        source = {"name": "folder", "plugin": "org.picket.source-folder", "location": str(self.publisher / "repository")}
        stamp = lambda ahead: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead))
        document = {"policy": 1, "audience": {}, "revision": self.revision, "issued": stamp(0), "expires": stamp(86400), "plugins": {
            "org.picket.update": {"settings": {"interval_minutes": 0, "rest_after_failure_seconds": 0, "sources": [source]}, "locked": True}, **more}}
        (self.home / "policy.json").write_text(json.dumps(document))
        signed = run(BIN / "picket-repo", "dsse", "sign", "--type", "application/vnd.picket.policy+json", "--key", self.home / "admin" / "policy.key.pem", self.home / "policy.json")
        (self.home / "policy.dsse").write_text(signed)
        self.ctl("policy", "apply", self.home / "policy.dsse")

    def update(self, variant):
        wait_for(f"the choice of {variant}", lambda: json.loads(self.ctl("status", "--json"))["data"]["updates"]["wanted_variant"] == variant)
        self.ctl("update", "run")
        listed = {each["component"]: each for each in json.loads(self.ctl("update", "status", "--json"))["data"]["components"]}
        assert listed["digests"]["variant"] == variant, listed

    def scan(self, *paths, status=4):
        out = json.loads(self.ctl("--json", "scan", *paths, status=status))["data"]
        out["found"] = {each["path"] for each in out["findings"] if not each["suspected"]}
        out["suspected"] = {each["path"] for each in out["findings"] if each["suspected"]}
        return out

    def scanner(self):
        return next(each for each in json.loads(self.ctl("plugin", "list", "--json"))["data"]["plugins"] if each["id"] == "org.picket.scanner")

    def memory(self):
        """Kilobytes of the digests that lie in the scanner's memory."""
        mapped = resident = 0
        for line in pathlib.Path(f"/proc/{self.scanner()['pid']}/smaps").read_text().splitlines():
            if "/digests." in line:
                mapped = 1
            elif mapped and line.startswith("Rss:"):
                resident += int(line.split()[1])
                mapped = 0
        return resident

    def end(self):
        self.ksn.end()
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(LIMIT) == 0, "picketd ended badly"


def cloud_mode(world, lists, work):
    corpus, late = work / (world.home.name + "-corpus"), work / (world.home.name + "-late")
    corpus.mkdir()
    late.mkdir()
    wanted, wanted_late = set(), set()
    for number, trail in enumerate(lists.corpus):
        # A part comes when KSN is away, so that its client cannot know the answer.
        path = (late if number % 4 == 0 else corpus) / f"evil{number}"
        path.write_text(trail)
        (wanted_late if number % 4 == 0 else wanted).add(str(path))
    harmless = 4 * len(lists.corpus) + 2000
    for number in range(harmless):
        (corpus / f"harmless{number}").write_text(f"a harmless file, number {number}")
    log = DATA / "samples" / "server-log.txt"  # a rule finds it, and the list of trusted files has it
    script = DATA / "samples" / "npm-package.js.txt"
    wanted.add(str(script))
    paths = (corpus, log, script)

    world.ksn.use(world, False)
    world.update("full")
    full = world.scan(*paths)
    assert full["found"] == wanted, sorted(full["found"] ^ wanted)[:10]
    assert {each["decided_by"] for each in full["findings"]} == {"database", "rule"}
    assert full["summary"]["suppressed"] == 1 and full["summary"]["asked"] == 0, full["summary"]
    full_memory = world.memory()

    world.ksn.use(world, True)
    world.update("light")
    light = world.scan(*paths)
    assert light["found"] == wanted, f"detection was lost or gained: {sorted(light['found'] ^ wanted)[:10]}"
    assert {each["decided_by"] for each in light["findings"]} == {"ksn", "rule"}
    summary = light["summary"]
    assert summary["suppressed"] == 1 and summary["suspected"] == 0 and summary["digests_variant"] == "light", summary
    asked_in_vain = summary["asked"] - len(wanted) - 1
    assert 0 <= asked_in_vain <= harmless / 150 + 8, summary
    assert world.scanner()["health"] == "healthy"
    light_memory = world.memory()

    world.ksn.die(world)
    alone = world.scan(late, script)
    assert alone["found"] == {str(script)}, alone["found"]
    assert alone["suspected"] == wanted_late, alone["suspected"] ^ wanted_late
    assert alone["summary"]["suspected"] == len(wanted_late) and alone["summary"]["note"].startswith("KSN "), alone["summary"]
    assert "suspected, not confirmed" in world.scanner()["text"], world.scanner()
    assert "suspected, not confirmed" in world.ctl("status"), world.ctl("status")

    world.ksn.use(world, False)
    world.update("full")
    assert world.scan(*paths, late)["found"] == wanted | wanted_late
    lists.evil = lists.evil[:1]  # and the next release has less in it
    world.publish(lists)
    world.ksn.use(world, False)
    world.update("full")
    again = world.scan(*paths, late)
    assert again["found"] == {str(script)}, again["found"]
    assert again["summary"]["digests_release"] == 2
    assert world.scanner()["health"] == "healthy"

    files = full["summary"]["files"]
    print(f"{len(wanted)} of {files} files found by full and by light with KSN; asked about {summary['asked']} ({100 * summary['asked'] / files:.1f} %), "
          f"of them {asked_in_vain} harmless ({100 * asked_in_vain / harmless:.2f} % of those); of {len(wanted_late)} more without KSN's answer all are suspected, none found")
    return full_memory, light_memory


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="picket-cloud-"))
    kinds = ["sample"]
    if all((SERIES / f"{name}.tar.zst").exists() for name in ("sigbase-weekly", "maltrail-hashset-daily", "maltrail-flat-daily")):
        kinds.append("whole")
    else:
        print(f"the whole lists are not in {SERIES} (PICKET_SERIES names another folder): only the sample is used")
    kind_of_ksn = PrivateKsn if (BIN / "picket-ksn").exists() else StandIn
    print(f"KSN: {kind_of_ksn.__name__}", flush=True)
    world = None
    try:
        for kind in kinds:
            lists = getattr(Lists(work, f"lists-{kind}"), kind)()
            world = World(work, kind, lists, kind_of_ksn)
            sizes = dict(world.bytes)
            full_memory, light_memory = cloud_mode(world, lists, work)
            print(f"{kind}: on disk full {sizes['full']} bytes, light {sizes['light']} bytes; in the scanner's memory after the scan full {full_memory} kB, light {light_memory} kB", flush=True)
            world.end()
            world = None
        shutil.rmtree(work, ignore_errors=True)
    finally:
        if world is not None:
            sys.stderr.write("".join((world.home / "log").read_text().splitlines(True)[-30:]))
            world.ksn.end()
            world.daemon.kill()
            world.daemon.wait()


main()
