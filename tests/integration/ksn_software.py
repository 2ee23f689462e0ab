#!/usr/bin/env python3
"""Software reputation from end to end: a real picketd with the KSN client in its sandboxed child looks a program up in this computer's own package
database, asks a private KSN by publisher, product and content at each start, and picketctl and another plugin say the verdict and what decided it.
With the argument rpm: in an rpm database of the test's, in the place and as unwritable as the service finds the system's."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from picket_site import BIN, BUILD, SOURCE, Agent, Publisher, Running, free_port, run, wait_for, workplace

CLIENT, WATCH = "org.picket.ksn-client", "org.example.program-watch"
NEVER_REPEATED = {"trusted": 0, "abusable": 0, "untrusted": 0, "unknown": 0}


def packaged_program():
    """A program, the publisher and the product of its package."""
    for path in ("/usr/bin/zstd", "/usr/bin/dpkg"):
        if not os.path.exists(path) or shutil.which("dpkg-query") is None:
            continue
        owner = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)
        if owner.returncode == 0:
            package = owner.stdout.split(": ")[0]
            said = run("dpkg-query", "-W", "-f", "${Maintainer}\n${source:Package}\n${Version}\n", package).stdout.splitlines()
            return path, said[0].split(" <")[0], said[1], said[2]
    print("skipped: no program of a dpkg package is here")
    sys.exit(77)


class Ksn(Running):
    def __init__(self, folder):
        super().__init__(folder)
        self.port, self.ksn = free_port(), folder / "ksn"
        run(BIN / "picket-ksn", "init", self.ksn, "--name", "Test KSN", "--server", f"https://127.0.0.1:{self.port}", "--listen", "127.0.0.1")
        run(BIN / "picket-ksn", "licence", "add", "L-1", "--until", "2099-12-31", "--ksn", self.ksn)
        settings = self.ksn / "settings" / "org.picket.ksn-service.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "ttl_seconds": NEVER_REPEATED}))

    def start(self):
        self.launch(BIN / "picket-ksn", "run", self.ksn, "--", "--plugin-dir", BUILD / "plugins", "--plugin-keys", BUILD / "devkey")
        self.wait_for_port(self.port)

    def knows(self, header, *cells):
        rows = self.folder / "rows.csv"
        rows.write_text(header + "\n" + ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n")
        assert "1 object (" in run(BIN / "picket-ksn", "import", rows, "--format", "csv", "--ksn", self.ksn).stdout


class Site(contextlib.ExitStack):
    """A private KSN, and an agent that asks it."""

    def __init__(self, work, launcher=()):
        super().__init__()
        repository = Publisher(work / "publisher")
        repository.publish()
        self.ksn = self.enter_context(Ksn(work / "server"))
        self.agent = self.enter_context(Agent(work / "agent", repository, {"log-file": work / "agent" / "log"}, plugins=[CLIENT], launcher=launcher))
        self.work = work

    def start(self):
        keys = self.work / "keys"
        keys.mkdir()
        self.ksn.start()
        shutil.copy(self.ksn.ksn / "provider.pub.json", keys)
        self.agent.settings(CLIENT, provider_file=str(self.ksn.ksn / "provider.json"), provider_keys=str(keys), licence="L-1", use_proxy=False, web_proxy="none", fallback_resolvers=[],
                            folder=str(self.work / "state"), statements_folder=str(SOURCE / "installer" / "statements"))
        self.agent.start()
        assert self.agent.plugin(CLIENT)["home"] == "isolated", self.agent.plugin(CLIENT)

    def first_answer(self, program):
        self.agent.ctl("ksn", "statement", "accept")
        return wait_for("the first answer", lambda: (lambda out: out.returncode == 0 and json.loads(out.stdout)["data"])(self.agent.run_ctl("ksn", "software", program, "--json", status=None)),
                        self.agent.log)


def of_dpkg(work):
    program, publisher, product, version = packaged_program()
    print(f"{program} is {product} of {publisher}", flush=True)
    copy = work / "copy"
    with Site(work) as site:
        ksn, agent = site.ksn, site.agent
        shutil.copytree(BUILD / "third-party-plugins" / WATCH, agent.plugins / WATCH)
        agent.settings("org.picket.tasks", tasks={name: {"type": "example-program-start", "options": {"path": str(path)}} for name, path in (("start", program), ("copy", copy))})
        ksn.knows("publisher,product,verdict,category,trust_group", publisher, product, "trusted", "packer", "low-restricted")
        site.start()
        wait_for("the other plugin", lambda: "example-program-start" in agent.json("task", "list")["types"], agent.log)
        assert agent.plugin(WATCH)["home"] == "isolated"
        started = lambda task="start", status=0: (lambda run: (run["result"], run["text"]))(agent.json("task", "run", task, status=status))
        counter = lambda name: agent.json("ksn", "status")["counters"][name]

        # Whose it is, is known without consent; what KSN says is not.
        silent = agent.json("ksn", "software", program, status=5)
        assert silent["identified_by"] == "dpkg" and silent["signature_valid"], silent
        assert silent["decided_by"] == "" and silent["text"].startswith("not known now: "), silent
        assert started() == ("ok", silent["text"]), "another plugin is told no more"
        assert counter("questions") == 0

        first = site.first_answer(program)
        assert first["software"] == {"publisher": publisher, "product": product}, first
        assert first["decided_by"] == "software" and first["checked"]["facts"]["verdict"] == "VERDICT_TRUSTED", first
        assert first["checked"]["ksn"] == "Test KSN" and first["checked"]["private_ksn"] and first["checked"]["from"] == "SERVER", first
        assert first["file"]["facts"]["verdict"] == "VERDICT_UNKNOWN", first
        assert first["text"] == f"trusted: {product} of {publisher}, version {version}", first
        assert first["checked"]["facts"]["trust_group"] == "TRUST_GROUP_LOW_RESTRICTED", first
        text = agent.ctl("ksn", "software", program)
        assert "low restricted" in text and "its publisher and product" in text and "packer" in text and f"{publisher}, {product}, by dpkg\n" in text, text

        asked = counter("questions")
        second = agent.json("ksn", "software", program)
        assert second["checked"]["from"] == "SERVER" and counter("questions") > asked, "the second start asks again"
        asked = counter("questions")
        assert started() == ("ok", first["text"] + ", by its software"), "the same to the other plugin"
        assert counter("questions") > asked, "and that start asks again too"
        ksn.knows("publisher,product,verdict,threat", publisher, product, "untrusted", "Stolen.Key")
        third = agent.json("ksn", "software", program, status=4)
        assert third["decided_by"] == "software" and third["checked"]["facts"]["threat"] == "Stolen.Key", third
        assert started(status=1) == ("failed", third["text"] + ", by its software")

        # What is known of the content counts before what is known of all that its publisher makes.
        digest = run("sha256sum", program).stdout.split()[0]
        ksn.knows("sha256,verdict", digest, "trusted")
        fourth = agent.json("ksn", "software", program)
        assert fourth["decided_by"] == "file" and fourth["text"].startswith("trusted: "), fourth
        assert started() == ("ok", fourth["text"] + ", by its file")

        # A copy is nobody's, whatever its name; and what is no program is one clear line.
        gone = started("copy", status=1)
        assert gone[0] == "failed" and gone[1] == f"{copy}: No such file or directory", gone
        shutil.copy(program, copy)
        with copy.open("ab") as out:
            out.write(b"more")
        own = agent.json("ksn", "software", copy)
        assert own["identified_by"] == "none" and not own["signature_valid"] and own["decided_by"] == "file", own
        assert "no package installed it" in own["checked"]["why"], own
        refused = agent.run_ctl("ksn", "software", pathlib.Path("/"), status=1)
        assert "no regular file" in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr

        ksn.end()
        away = agent.json("ksn", "software", copy, status=5)
        assert away["decided_by"] == "" and away["file"]["why"], away
        assert started("copy") == ("ok", away["text"]), "nobody answers, and the program starts"
        agent.end()
    print(f"{program}: asked at each start, decided by its publisher and product, then by its content")


SPEC = """Name: toolbox
Version: 2.0
Release: 3
Summary: For a test
License: none
BuildArch: noarch
Vendor: Acme Tools
%description
For a test.
%install
mkdir -p %{{buildroot}}{bin}
for name in tool other; do echo $name >%{{buildroot}}{bin}/$name; done
%files
{bin}/tool
{bin}/other
"""


def of_rpm(work):
    missing = [program for program in ("rpm", "rpmbuild", "unshare") if shutil.which(program) is None]
    bin, database, system = work / "bin", work / "rpmdb", pathlib.Path("/var/lib/rpm")
    # What ProtectSystem=strict of the systemd unit makes of it.
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    launcher = [*unshare, "sh", "-ec", f'mount --bind "$0" {system}; mount -o remount,bind,ro {system}; exec "$@"', database]
    database.mkdir()
    if missing or not system.is_dir() or pathlib.Path("/usr/lib/sysimage/rpm").exists() or run(*launcher, "true", status=None).returncode != 0:
        print(f"skipped: it needs {', '.join(missing) or f'{system} as the only place of an rpm database, and a mount namespace of its own'}")
        sys.exit(77)
    (work / "toolbox.spec").write_text(SPEC.format(bin=bin))
    run("rpmbuild", "--quiet", "-bb", "--nodeps", "--define", f"_topdir {work}/build", "--define", f"_tmppath {work}", work / "toolbox.spec")
    run("rpm", "--dbpath", database, "--force-debian", "--nodeps", "-i", work / "build/RPMS/noarch/toolbox-2.0-3.noarch.rpm")
    with Site(work, launcher) as site:
        site.ksn.knows("publisher,product,verdict", "Acme Tools", "toolbox", "trusted")
        site.start()
        first = site.first_answer(bin / "tool")
        assert first["identified_by"] == "rpm" and first["signature_valid"], first
        assert first["decided_by"] == "software" and first["text"] == "trusted: toolbox of Acme Tools, version 2.0-3", first
        (bin / "tool").write_text("changed")
        changed = site.agent.json("ksn", "software", bin / "tool")
        assert not changed["signature_valid"] and changed["text"].endswith("(it is not what package toolbox installed: it was changed)"), changed

        # rpm reads only where its index lies already: it may make none here. That is said, and nothing is believed of the program.
        for index in database.glob("rpmdb.sqlite-*"):
            index.unlink()
        blind = site.agent.json("ksn", "software", bin / "other")
        assert blind["identified_by"] == "none" and not blind["signature_valid"] and blind["decided_by"] == "file", blind
        why = blind["checked"]["why"]
        assert why.startswith("the rpm database: rpm ended with 1: error: ") and why.endswith(f"; it may not write in {system} here") and "\n" not in why, why
        run("rpm", "--dbpath", database, "-qa")  # whoever may write makes it again
        assert site.agent.json("ksn", "software", bin / "other")["identified_by"] == "rpm"
        site.agent.end()
    print("a program of an rpm package, whose database cannot be written: known, changed, and not to be read")


with workplace("ksn-software") as place:
    (of_rpm if sys.argv[1:] == ["rpm"] else of_dpkg)(place)
