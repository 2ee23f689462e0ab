#!/usr/bin/env python3
"""bad_plugins.py FOLDER_OF_SO FOLDER_OF_MANIFESTS name=case[+case]=manifest...: picket-plugin-check fails each plugin in exactly the cases named."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys


def check(tool, library, manifest):
    """The names of the cases that failed, with their texts, and those that this kernel does not let it look at."""
    failed, unseen = {}, set()
    for command in ("static", "run"):
        done = subprocess.run([tool, command, library, "--manifest", manifest, "--id", "test.bad.plugin", "--timeout", "12", "--json"],
                              capture_output=True, text=True, timeout=250)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"ended with {done.returncode}: {done.stderr}")
        results = json.loads(done.stdout)["results"]
        failed.update({result["case"]: result["text"] for result in results if result["result"] == "FAIL"})
        unseen.update(result["case"] for result in results if result["result"] == "skipped" and "cannot see" in result["text"])
        if (done.returncode == 1) != any(result["result"] == "FAIL" for result in results):
            raise RuntimeError(f"exit status {done.returncode} does not fit the results")
    return failed, unseen


def main():
    tool = pathlib.Path(os.environ["PICKET_BIN"]) / "picket-plugin-check"
    libraries, manifests = map(pathlib.Path, sys.argv[1:3])
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = []
        for expectation in sys.argv[3:]:
            name, case, manifest = expectation.split("=")
            running.append((name, case, manifest, pool.submit(check, tool, libraries / f"{name}.so", manifests / (manifest or "plugin.json"))))
        for name, case, manifest, future in running:
            failed, unseen = future.result()
            good = set(failed) == set(filter(None, case.split("+"))) - unseen
            print("ok   " if good else "WRONG", name, manifest, failed, *(f"(not seen here: {case})" for case in unseen), flush=True)
            wrong += not good
    sys.exit(f"{wrong} plugins did not fail as they should" if wrong else 0)


if __name__ == "__main__":
    main()
