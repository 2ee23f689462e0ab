#!/usr/bin/env python3
"""Cloud mode keeps detection: a real picketd goes from full digest databases to light ones and back, on a corpus of files whose digests real
lists hold. The lists are a sample of signature-base and maltrail, and, when they are there, all of them: `sigbase-weekly.tar.zst`,
`maltrail-hashset-daily.tar.zst` and `maltrail-flat-daily.tar.zst` in the folder that PICKET_SERIES names, or in shared/data beside the source.

KSN is a private one of our own, asked by the KSN client over HTTPS; where picket-ksn was not built, a stand-in plugin plays the client."""
import contextlib
import hashlib
import json
import pathlib
import shutil
import subprocess
import time

from picket_site import BIN, BUILD, LIMIT, SERIES, SOURCE, Agent, Publisher, Running, folder_source, free_port, run, wait_for, workplace

DATA = SOURCE / "tests" / "data"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Lists:
    """What the publisher has: lists of digests, and files of his whose digests are in them."""

    def __init__(self, work, name):
        self.folder = work / name
        self.folder.mkdir()
        self.evil, self.corpus = [], []

    def sample(self):
        trails = (DATA / "digests" / "trails.txt").read_text().splitlines()
        (self.folder / "trails.txt").write_text("".join(f"{digest(trail)};{trail}\n" for trail in trails))
        self.evil = [DATA / "digests" / "hash-iocs.txt", self.folder / "trails.txt"]
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
        self.corpus = [trail for trail in trails[::500] if int(digest(trail)[:2], 16) < 0x40]  # of these the set holds the digests
        return self


class StandIn:
    """A plugin that plays the client."""
    options = {"plugin-dir": [BUILD / "plugins", BUILD / "third-party-plugins"], "stand-in": "org.example.ksn-stand-in",
               "disabled": ["org.example.crasher", "org.picket.ksn-client"]}

    def __init__(self, world, lists):
        self.database = str(world.known)

    def use(self, world, yes):
        world.policy({"org.example.ksn-stand-in": {"settings": {"in_use": yes, "database": self.database}}})

    def die(self, world):
        self.database = ""
        self.use(world, True)


class PrivateKsn:
    """A KSN of our own, whose client is the real one."""
    options = {}

    def __init__(self, world, lists):
        self.accepted = False
        self.server = world.started.enter_context(Running(world.folder / "ksn-server"))
        folder, port = world.folder / "ksn", free_port()
        self.server.launch(BIN / "picket-ksn", "run", folder, "--name", "Test KSN", "--server", f"https://127.0.0.1:{port}", "--listen", "127.0.0.1", "--", "--plugin-dir", BUILD / "plugins",
                           "--plugin-keys", BUILD / "devkey")
        self.server.wait_for_port(port)
        run(BIN / "picket-ksn", "licence", "add", "L-1", "--until", "2099-12-31", "--ksn", folder)
        run(BIN / "picket-ksn", "import", *lists.evil, "--verdict", "untrusted", "--kind", "file", "--category", "malware", "--ksn", folder)
        run(BIN / "picket-ksn", "import", world.good, "--verdict", "trusted", "--kind", "file", "--ksn", folder)
        keys = world.folder / "ksn-keys"
        keys.mkdir()
        shutil.copy(folder / "provider.pub.json", keys)
        world.settings("org.picket.ksn-client", provider_file=str(folder / "provider.json"), provider_keys=str(keys), licence="L-1", use_proxy=False, web_proxy="none", fallback_resolvers=[],
                       folder=str(world.folder / "ksn-state"), statements_folder=str(SOURCE / "installer" / "statements"))

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
        self.server.end()


class World(Agent):
    def __init__(self, folder, lists, kind_of_ksn, started):
        self.publisher, self.started, self.revision, self.release = Publisher(folder.with_name(f"{folder.name}-publisher")), started, 0, 0
        super().__init__(folder, self.publisher, {"policy-keys": folder / "policy-keys", "log-file": folder / "log", "in-process": ["org.picket.source-folder", "org.picket.cloud-mode"],
                                                  **kind_of_ksn.options})
        self.publish(lists)
        (folder / "admin").mkdir()
        run(BIN / "picket-repo", "key", "gen", "--keys", folder / "admin", "policy")
        (folder / "policy-keys").mkdir()
        shutil.copy(folder / "admin" / "policy.pub.json", folder / "policy-keys")
        self.ksn = kind_of_ksn(self, lists)

    def publish(self, lists):
        """The commands of sdk/tools/digests/README.md."""
        self.release += 1
        if self.release == 1:
            for variant in ("full", "light"):
                self.publisher.add("yara-rules", 1, DATA / "yara-rules" / ("r3" if variant == "full" else "r3-light"), "--variant", variant)
        self.good = self.folder / "good.txt"
        self.good.write_text(hashlib.sha256((DATA / "samples" / "server-log.txt").read_bytes()).hexdigest() + "\n")
        self.bytes = {}
        for variant in ("full", "light"):
            out = self.folder / "made" / str(self.release) / variant
            run(BIN / "picket-digests", "make", "--variant", variant, *lists.evil, "--trusted", self.good, out)
            for each in lists.evil:
                run(BIN / "picket-digests", "check", out, "--against", each)
            self.bytes[variant] = (out / f"digests.{variant}").stat().st_size
            self.publisher.add("digests", self.release, out, "--variant", variant)
        self.publisher.publish()
        self.known = self.folder / "made" / str(self.release) / "full"

    def policy(self, more):
        self.revision += 1
        stamp = lambda ahead: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead))
        document = {"policy": 1, "audience": {}, "revision": self.revision, "issued": stamp(0), "expires": stamp(86400), "plugins": {
            "org.picket.update": {"settings": {"interval_minutes": 0, "rest_after_failure_seconds": 0, "sources": [folder_source(self.publisher.repository)]}, "locked": True}, **more}}
        (self.folder / "policy.json").write_text(json.dumps(document))
        signed = run(BIN / "picket-repo", "dsse", "sign", "--type", "application/vnd.picket.policy+json", "--key", self.folder / "admin" / "policy.key.pem", self.folder / "policy.json").stdout
        (self.folder / "policy.dsse").write_text(signed)
        self.ctl("policy", "apply", self.folder / "policy.dsse")

    def update(self, variant):
        wait_for(f"the choice of {variant}", lambda: self.json("status")["updates"]["wanted_variant"] == variant)
        self.ctl("update", "run")
        assert self.component("digests")["variant"] == variant, self.component("digests")

    def scan(self, *paths, status=4):
        out = self.json("scan", *paths, status=status)
        out["found"] = {each["path"] for each in out["findings"] if not each["suspected"]}
        out["suspected"] = {each["path"] for each in out["findings"] if each["suspected"]}
        return out

    def memory(self):
        """Kilobytes of the digests that lie in the scanner's memory."""
        mapped = resident = 0
        for line in pathlib.Path(f"/proc/{self.plugin('org.picket.scanner')['pid']}/smaps").read_text().splitlines():
            if "/digests." in line:
                mapped = 1
            elif mapped and line.startswith("Rss:"):
                resident += int(line.split()[1])
                mapped = 0
        return resident


def cloud_mode(world, lists, work):
    corpus, late = work / (world.folder.name + "-corpus"), work / (world.folder.name + "-late")
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
    assert world.plugin("org.picket.scanner")["health"] == "healthy"
    light_memory = world.memory()

    world.ksn.die(world)
    alone = world.scan(late, script)
    assert alone["found"] == {str(script)}, alone["found"]
    assert alone["suspected"] == wanted_late, alone["suspected"] ^ wanted_late
    assert alone["summary"]["suspected"] == len(wanted_late) and alone["summary"]["note"].startswith("KSN "), alone["summary"]
    assert "suspected, not confirmed" in world.plugin("org.picket.scanner")["text"], world.plugin("org.picket.scanner")
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
    assert world.plugin("org.picket.scanner")["health"] == "healthy"

    files = full["summary"]["files"]
    print(f"{len(wanted)} of {files} files found by full and by light with KSN; asked about {summary['asked']} ({100 * summary['asked'] / files:.1f} %), "
          f"of them {asked_in_vain} harmless ({100 * asked_in_vain / harmless:.2f} % of those); of {len(wanted_late)} more without KSN's answer all are suspected, none found")
    return full_memory, light_memory


def main(work):
    kinds = ["sample"]
    if all((SERIES / f"{name}.tar.zst").exists() for name in ("sigbase-weekly", "maltrail-hashset-daily", "maltrail-flat-daily")):
        kinds.append("whole")
    else:
        print(f"left out: the whole lists, which are not in {SERIES} (PICKET_SERIES names another folder); the sample is used")
    kind_of_ksn = PrivateKsn if (BIN / "picket-ksn").exists() else StandIn
    print(f"KSN: {kind_of_ksn.__name__}", flush=True)
    for kind in kinds:
        lists = getattr(Lists(work, f"lists-{kind}"), kind)()
        with contextlib.ExitStack() as started:
            world = started.enter_context(World(work / kind, lists, kind_of_ksn, started))
            world.start()
            world.policy({})
            sizes = dict(world.bytes)
            full_memory, light_memory = cloud_mode(world, lists, work)
            print(f"{kind}: on disk full {sizes['full']} bytes, light {sizes['light']} bytes; in the scanner's memory after the scan full {full_memory} kB, light {light_memory} kB", flush=True)
            world.end()


with workplace("cloud") as place:
    main(place)
