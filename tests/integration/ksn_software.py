#!/usr/bin/env python3
"""Software reputation from end to end: a real picketd with the KSN client in its sandboxed child looks a program up in this computer's own package
database, asks a private KSN by publisher, product and content at each start, and picketctl says the verdict and what decided it."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from picket_site import BIN, BUILD, SOURCE, Agent, Publisher, Running, free_port, run, wait_for, workplace

CLIENT = "org.picket.ksn-client"
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


def main(work):
    program, publisher, product, version = packaged_program()
    print(f"{program} is {product} of {publisher}", flush=True)
    repository = Publisher(work / "publisher")
    repository.publish()
    with Ksn(work / "server") as ksn, Agent(work / "agent", repository, {"log-file": work / "agent" / "log"}, plugins=[CLIENT]) as agent:
        ksn.knows("publisher,product,verdict,category,trust_group", publisher, product, "trusted", "packer", "low-restricted")
        ksn.start()
        keys = work / "keys"
        keys.mkdir()
        shutil.copy(ksn.ksn / "provider.pub.json", keys)
        agent.settings(CLIENT, provider_file=str(ksn.ksn / "provider.json"), provider_keys=str(keys), licence="L-1", use_proxy=False, web_proxy="none", fallback_resolvers=[],
                       folder=str(work / "state"), statements_folder=str(SOURCE / "installer" / "statements"))
        agent.start()
        assert agent.plugin(CLIENT)["home"] == "isolated", agent.plugin(CLIENT)
        counter = lambda name: agent.json("ksn", "status")["counters"][name]

        # Whose it is, is known without consent; what KSN says is not.
        silent = agent.json("ksn", "software", program, status=5)
        assert silent["identified_by"] == "dpkg" and silent["signature_valid"], silent
        assert silent["decided_by"] == "" and silent["text"].startswith("not known now: "), silent
        assert counter("questions") == 0

        agent.ctl("ksn", "statement", "accept")
        first = wait_for("the first answer", lambda: (lambda out: out.returncode == 0 and json.loads(out.stdout)["data"])(agent.run_ctl("ksn", "software", program, "--json", status=None)), agent.log)
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
        ksn.knows("publisher,product,verdict,threat", publisher, product, "untrusted", "Stolen.Key")
        third = agent.json("ksn", "software", program, status=4)
        assert third["decided_by"] == "software" and third["checked"]["facts"]["threat"] == "Stolen.Key", third

        # What is known of the content counts before what is known of all that its publisher makes.
        digest = run("sha256sum", program).stdout.split()[0]
        ksn.knows("sha256,verdict", digest, "trusted")
        fourth = agent.json("ksn", "software", program)
        assert fourth["decided_by"] == "file" and fourth["text"].startswith("trusted: "), fourth

        # A copy is nobody's, whatever its name; and what is no program is one clear line.
        copy = work / "copy"
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
        agent.end()
    print(f"{program}: asked at each start, decided by its publisher and product, then by its content")


with workplace("ksn-software") as place:
    main(place)
