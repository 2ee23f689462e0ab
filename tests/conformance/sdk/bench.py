#!/usr/bin/env python3
"""bench.py GOOD.so SLOW.so PLUGIN.json: picket-plugin-check bench prints what its help says, and warns of calls beyond the manifest's budget only."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(os.environ["PICKET_BIN"]) / "picket-plugin-check"


def bench(library, manifest, *more):
    done = subprocess.run([TOOL, "bench", library, "--manifest", manifest, "--id", "test.bad.plugin", *more], stdout=subprocess.PIPE, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"{library} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def with_limit(manifest, folder, milliseconds):
    out = folder / f"{milliseconds}.json"
    out.write_text(json.dumps({**json.loads(manifest.read_text()), "limits": {"callback_ms": milliseconds}}))
    return out


def main():
    good, slow, manifest = map(pathlib.Path, sys.argv[1:4])
    with tempfile.TemporaryDirectory() as folder:
        # What is judged is the longest call: a busy machine makes any call longer than the usual limit.
        easy, strict = (with_limit(manifest, pathlib.Path(folder), limit) for limit in (60000, 10))
        measure(good, easy)
        for path, word in ((easy, "pass"), (strict, "warning")):
            [result] = json.loads(bench(slow, path, "--json"))["results"]
            if result["result"] != word or ("limits.callback_ms 10" in result["text"]) != (word == "warning"):
                sys.exit(f"{path} gave {result}")


def measure(good, manifest):
    whats = ["start", "stop", r"message test\.bad\.heard\.[a-z.]+", r"request test\.bad\.echo"]
    lines = bench(good, manifest).splitlines()
    numbers = r" +\d+ /s  p50 +\d+\.\d\d us  p99 +\d+\.\d\d us"
    for line, wanted in zip(lines, [what + numbers for what in whats] + [r"pass +bench +"], strict=True):
        if not re.fullmatch(wanted, line):
            sys.exit(f'"{line}" is not "{wanted}"')

    document = json.loads(bench(good, manifest, "--json"))
    for entry, what in zip(document["measured"], whats, strict=True):
        if not re.fullmatch(what, entry["what"]) or entry["calls"] < 1 or not 0 < entry["p50_us"] <= entry["p99_us"] or entry["per_second"] <= 0:
            sys.exit(f"measured {entry}")


if __name__ == "__main__":
    main()
