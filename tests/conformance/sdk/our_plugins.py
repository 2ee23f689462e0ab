#!/usr/bin/env python3
"""Our own plugins pass what we ask of others: every package in the build folder, by picket-plugin-check."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys


def check(tool, command, package):
    seconds = ["--seconds", "3"] if command == "fuzz" else []
    return subprocess.run([tool, command, package, "--timeout", "60", *seconds], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)


def main():
    tool = pathlib.Path(os.environ["PICKET_BIN"]) / "picket-plugin-check"
    packages = sorted(path.parent for path in (pathlib.Path(os.environ["PICKET_BUILD"]) / "plugins").glob("*/*/plugin.json"))
    if not packages:
        print("no plugin is built: nothing to check")
        sys.exit(77)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [(package, command, pool.submit(check, tool, command, package)) for package in packages for command in ("static", "run", "fuzz")]
        for package, command, future in running:
            done = future.result()
            print(f"{package.parent.name} {package.name} {command}: exit {done.returncode}\n{done.stdout}", flush=True)
            bad += done.returncode != 0
    sys.exit(f"{bad} checks failed" if bad else 0)


if __name__ == "__main__":
    main()
