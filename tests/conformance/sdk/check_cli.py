#!/usr/bin/env python3
"""check_cli.py GOOD.so FOLDER_OF_MANIFESTS: picket-plugin-check's words and exit status for what people and packages get wrong. One clear line each, never a crash."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BIN = pathlib.Path(os.environ["PICKET_BIN"])
wrong = 0


def expect(status, words, *arguments):
    """The one line of complaint, or the output, holds `words`."""
    global wrong
    done = subprocess.run([BIN / "picket-plugin-check", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    said = done.stderr if status == 2 else done.stdout
    good = done.returncode == status and words in said and "Sanitizer" not in done.stderr
    if status == 2:
        good = good and done.stdout == "" and done.stderr.count("\n") == 1
    if not good:
        wrong += 1
        print(f"WRONG: {' '.join(map(str, arguments))}\n  exit {done.returncode}, expected {status} and \"{words}\"\n  {done.stdout}{done.stderr}", flush=True)
    return done.stdout


def main():
    library, manifests = map(pathlib.Path, sys.argv[1:3])
    manifest = manifests / "plugin.json"
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        expect(0, "usage:", "--help")
        expect(0, "random-bytes", "list")
        expect(2, "say static, run, fuzz, bench or list")
        expect(2, "unknown option --colour", "static", library, "--colour")
        expect(2, "--id needs a value", "run", library, "--id")
        expect(2, "one plugin at a time", "static", library, library)
        expect(2, "name a package folder", "static")
        expect(2, "no case is named nonsense", "static", library, "--only", "nonsense")
        expect(2, "--in-process needs --only", "run", library, "--in-process")
        expect(2, "--timeout must be", "run", library, "--timeout", "0")
        expect(2, "--in-process needs --iterations", "fuzz", library, "--in-process")
        expect(2, "bench has no --in-process", "bench", library, "--in-process")
        expect(2, "fuzz has no cases", "fuzz", library, "--only", "loads")
        expect(2, "--seconds must be at least 1", "fuzz", library, "--seconds", "0")
        expect(2, "--iterations must be a number", "fuzz", library, "--iterations", "many")
        expect(2, "--seed must be a number", "run", library, "--seed", "-1")
        expect(2, "No such file", "static", root / "absent.so")
        expect(2, "No such file", "static", library, "--manifest", root / "absent.json")
        (root / "empty").mkdir()
        expect(2, "plugin.json", "static", root / "empty")

        # A manifest that is not one is a case of static; nothing runs with it.
        broken = manifests / "broken_manifest.json"
        expect(1, "FAIL     manifest", "static", library, "--manifest", broken)
        for command in ("run", "fuzz", "bench"):
            expect(2, "abi.major", command, library, "--manifest", broken, "--id", "test.bad.plugin")

        # A good manifest that hosts refuse all the same.
        told = json.loads(manifest.read_text())
        later = root / "later.json"
        later.write_text(json.dumps({**told, "requires_extensions": ["picket.bus/2"]}))
        expect(0, "warning  manifest             requires the extension picket.bus/2", "static", library, "--manifest", later)
        torn = root / "torn.json"
        torn.write_text(json.dumps({**told, "isolation": {"preferred": "in-process", "minimum": "isolated"}}))
        expect(0, "warning  manifest             isolation: preferred is in-process, but minimum is isolated", "static", library, "--manifest", torn)
        kept = root / "kept.json"
        kept.write_text(json.dumps({**told, "topics": {"publishes": [{"topic": "picket.ksn.state", "kind": "state"}]}}))
        expect(0, "warning  manifest             topics.publishes: picket.ksn.state", "static", library, "--manifest", kept)

        # Without a manifest: what can be seen is seen, and the id is not guessed.
        bare = root / "bare.so"
        shutil.copy(library, bare)
        expect(0, "skipped  manifest", "static", bare)
        for command in ("run", "fuzz", "bench"):
            expect(2, "its id is not known: give --id or a manifest", command, bare)
        expect(0, "pass     create-destroy", "run", bare, "--id", "test.bad.plugin", "--only", "create-destroy")
        expect(1, "FAIL     create-destroy", "run", bare, "--id", "test.another.plugin", "--only", "create-destroy")
        expect(0, "pass     wrong-id", "run", bare, "--id", "test.bad.plugin", "--only", "wrong-id", "--in-process")

        # What it writes is named, where the kernel shows it.
        told_where = expect(0, "no-write-outside", "run", library, "--manifest", manifest, "--only", "no-write-outside", "--in-process")
        if "cannot see what it writes: the kernel refuses" in told_where:
            print(f"not tried: {told_where}")
        else:
            for name, words in (("writes_a_file", "openat /nonexistent/bad/log.txt: outside its storage"), ("removes_as_it_loads", "/nonexistent/picket.lock: outside its storage"),
                                ("changes_modes", "fchmodat2 /nonexistent/picket.lock and 2 more: outside its storage")):
                expect(1, words, "run", library.with_name(f"{name}.so"), "--manifest", manifest, "--only", "no-write-outside")
            expect(0, "pass     no-write-outside", "run", library.with_name("writes_a_file.so"), "--manifest", manifests / "may_write.json", "--only", "no-write-outside")

        # The first thing that differs between its homes, and how.
        for name, words in (("reads_the_environment", 'the answer of test.bad.echo to nothing: in the agent 0  "/'), ("reads_the_environment", 'in a child 0  "nobody\'s"'),
                            ("remembers_in_a_global", 'the answer of test.bad.echo to nothing: in the agent 0  "2" "", in a child 0  "1" ""'),
                            ("remembers_per_thread", 'event test.bad.said #2: in the agent  "1", in a child  "2"')):
            expect(1, words, "run", library.with_name(f"{name}.so"), "--manifest", manifest, "--only", "same-in-both-homes")
        for seconds in ("1", "2", "6"):
            expect(0, f"skipped  same-in-both-homes   too slow to be led 4 times in {seconds} s", "run", library.with_name("stops_slowly.so"), "--manifest", manifest, "--only",
                   "same-in-both-homes", "--timeout", seconds)

        (root / "text.so").write_text("I am no shared object\n")
        expect(1, "no ELF header", "static", root / "text.so")
        expect(1, "skipped  one-symbol", "static", root / "text.so")
        (root / "cut.so").write_bytes(library.read_bytes()[:3000])
        expect(1, "FAIL     shared-object", "static", root / "cut.so")
        expect(1, "FAIL     loads", "run", root / "cut.so", "--id", "test.bad.plugin")

        # A schema that no host can use: an unknown type, and what only some engines of patterns know.
        unusable = [manifests / "impossible_schema.json"]
        for name, pattern in (("open_group", "((("), ("lookahead", "^(?!a)")):
            unusable.append(root / f"{name}.json")
            unusable[-1].write_text(json.dumps({**told, "settings_schema": {"type": "object", "properties": {"word": {"type": "string", "pattern": pattern}}}}))
        for schema in unusable:
            expect(1, "settings schema: ", "static", library, "--manifest", schema, "--only", "manifest")
            pack = [BIN / "picket-plugin-pack", "--manifest", schema, "--library", library, "--development-key", root / "key", "--output", root / "impossible"]
            refused = subprocess.run(pack, capture_output=True, text=True, timeout=60)
            if refused.returncode != 1 or "settings schema: " not in refused.stderr or (root / "impossible").exists():
                sys.exit(f"a schema that no host can use was packed: {refused}")

        # A package whose library was changed after it was packed.
        shutil.copy(library, root / "plugin.so")
        packed = subprocess.run([BIN / "picket-plugin-pack", "--manifest", manifest, "--library", root / "plugin.so", "--development-key", root / "key", "--output", root / "packages"],
                                stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout.strip()
        expect(0, "pass     digest", "static", packed)
        with open(pathlib.Path(packed) / "plugin.so", "ab") as out:
            out.write(b"\0")
        expect(1, "FAIL     digest", "static", packed)
        (pathlib.Path(packed) / "plugin.json").write_text('{"manifest": 1, "surprise": true}')
        expect(2, "plugin.json", "static", packed)

        # Settings of one's own are held against the schema; the document is JSON, with every case in it.
        (root / "bad.json").write_text('{"count": 0}')
        (root / "plugin.json").write_text(manifest.read_text())
        expect(0, "no settings to start it with", "run", root / "plugin.so", "--settings", root / "bad.json", "--only", "start-stop-start")
        document = json.loads(expect(0, '"schema":1', "run", root / "plugin.so", "--json"))
        names = [result["case"] for result in document["results"]]
        if document["id"] != "test.bad.plugin" or "busy-host" not in names or any(result["result"] not in ("pass", "warning") and "cannot see" not in result["text"] for result in document["results"]):
            sys.exit(f"the JSON document says {document}")
    sys.exit(f"{wrong} answers were not as they should be" if wrong else 0)


if __name__ == "__main__":
    main()
