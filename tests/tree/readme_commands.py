#!/usr/bin/env python3
"""Runs every command that README.md shows. A command that this list does not know fails the test, so a new one gets a row.

`installer/test` is what runs this test, and `installer/bench` and `installer/coverage` build all of the tree once more: of these only the help is run
here. `installer/package` is run to its end, and what it makes installed, by integration_package."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ["PICKET_SOURCE"])
BIN = pathlib.Path(os.environ["PICKET_BIN"])
HOW = {
    "installer/demo": ["installer/demo"],  # standard input is no terminal: ends after the tour
    "installer/demo --once": ["installer/demo", "--once"],
    "installer/demo --keep": None,  # below
    "installer/test": ["installer/test", "--help"],
    "installer/bench": ["installer/bench", "--help"],
    "installer/coverage": ["installer/coverage", "--help"],
    "installer/package": ["installer/package", "--help"],
    "picketctl help": [BIN / "picketctl", "help"],
    "picket-repo --help": [BIN / "picket-repo", "--help"],
    "picket-ksn --help": [BIN / "picket-ksn", "--help"],
}


def commands(text):
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        yield from (line.strip() for line in block.splitlines() if line.strip())
    yield from re.findall(r"`((?:installer/[a-z]|picket-(?:repo|ksn) |picketctl )[^`]*)`", re.sub(r"```.*?```", "", text, flags=re.S))


def run(command):
    result = subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    if result.returncode != 0 or not result.stdout:
        print(result.stdout[-2000:], result.stderr[-2000:], file=sys.stderr)
        sys.exit(f"{command} ended with {result.returncode}")
    return result.stdout


def keep():
    """Leaves an agent that answers and that the printed command ends."""
    out = run(["installer/demo", "--keep"])
    talk = re.search(r"Talk with it:\s+(.*)", out).group(1)
    end = re.search(r"End it:\s+(.*)", out).group(1)
    try:
        run(["bash", "-c", talk])
    finally:
        subprocess.run(["bash", "-c", end], check=True)


seen = sorted(set(commands((ROOT / "README.md").read_text())))
for command in seen:
    if command not in HOW:
        sys.exit(f"README.md shows '{command}', and this test does not know how to run it")
    print(command, flush=True)
    keep() if HOW[command] is None else run(HOW[command])
print(f"{len(seen)} commands")
sys.exit(0 if len(seen) >= 5 else 1)
