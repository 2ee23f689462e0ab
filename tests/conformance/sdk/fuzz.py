#!/usr/bin/env python3
"""fuzz.py FOLDER_OF_SO FOLDER_OF_MANIFESTS BAD_OF_HOST.so...: picket-plugin-check fuzz finds what is wrong with each plugin, says how, and finds it again."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(os.environ["PICKET_BIN"]) / "picket-plugin-check"
LIBRARIES, MANIFESTS = map(pathlib.Path, sys.argv[1:3])
# What its words must hold; "" for none: it is good.
SDK = {
    "good": "", "c_plugin": "", "believes_its_schema": "",
    "crashes_on_a_long_message": r"a message of \d{6} bytes on test.bad.heard.*the plugin ended its process",
    "dies_of_busy": r"a message of .* answers BUSY\): the plugin ended its process",
    "dies_of_denied": r"settings .* answers DENIED\): the plugin ended its process",
    "crashes_at_an_edge": r'settings .*"count":1,.*the plugin ended its process',
    "constructor_throws": "iteration 1, start: the plugin ended its process",
    "constructor_hangs": "iteration 1, start: a call did not return in time",
    "answers_twice": "a request of .*responds twice",
    "uses_a_token_twice": "(start:|an answer of) .*with token 7, which is in use",
    "lies_about_topics": "publishes picket.host, which is not in its manifest",
    "gives_an_event_a_key": "publish of an event with a key",
    "explains_on_another_thread": "set_error was called on another thread",
    "speaks_after_stop": "stop: .*publish was called after stop",
}
# Plugin, the moment at which it does its bad thing, words. The moment is a setting, which fuzz must try.
HOST = [
    ("bad_crash", "start", r'settings .*"start".*ended its process'),
    ("bad_crash", "message", "a (message|request) of .*ended its process"),
    ("bad_crash", "timer", "timers and deadlines.*ended its process"),
    ("bad_crash", "stop", "ended its process"),
    ("bad_hang", "start", r'settings .*"start".*a call did not return in time'),
    ("bad_hang", "message", "a message of .*a call did not return in time"),
    ("bad_throw", "message", "a (message|request) of .*ended its process"),
    ("bad_lies", "", "publishes picket.component.active, which is not in its manifest"),
    ("bad_thread", "", "set_error was called on another thread"),
]


def fuzz(library, manifest, identity, *more):
    done = subprocess.run([TOOL, "fuzz", library, "--manifest", manifest, "--id", identity, "--seconds", "6", "--timeout", "5", "--json", *more],
                          capture_output=True, text=True, timeout=120)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"ended with {done.returncode}: {done.stderr}")
    [result] = json.loads(done.stdout)["results"]
    if (done.returncode == 1) != (result["result"] == "FAIL"):
        raise RuntimeError(f"exit status {done.returncode} does not fit {result}")
    return result


def judge(library, manifest, identity, words):
    """None, or what is wrong."""
    result = fuzz(library, manifest, identity)
    text = result["text"]
    if words == "":
        return None if result["result"] == "pass" and re.match(r"\d+ iterations, seeds 1 to \d+; \d+ settings", text) else f"is good, but: {text}"
    again = re.search(r"; again with (--seed) (\d+) (--iterations) (\d+)$", text)
    if result["result"] != "FAIL" or not re.search(words, text) or not again:
        return f'expected "{words}", was told {result}'
    second = fuzz(library, manifest, identity, *again.groups())
    # A thread of its own speaks when it likes, or not before the end; all else is the same to the letter.
    return None if library.stem == "bad_thread" or second["text"] == text else f"first said {text}, and then {second}"


def host_manifest(folder, when):
    schema = {"type": "object", "additionalProperties": False, "properties": {"when": {"type": "string", "enum": ["never", when] if when else ["never"], "default": "never"}}}
    path = folder / f"{when or 'never'}.json"
    path.write_text(json.dumps({"manifest": 1, "id": "org.picket.test.bad", "version": "1.0.0", "file": "plugin.so", "abi": {"major": 1}, "settings_schema": schema,
                                "topics": {"publishes": [{"topic": "test.event", "kind": "event"}], "subscribes": ["test.event"], "answers": ["test.bad"]}}))
    return path


def main():
    in_host = {path.stem: path for path in map(pathlib.Path, sys.argv[3:])}
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [(name, pool.submit(judge, LIBRARIES / f"{name}.so", MANIFESTS / "plugin.json", "test.bad.plugin", words)) for name, words in SDK.items()]
        for name, when, words in HOST:
            manifest = host_manifest(pathlib.Path(folder), when)
            running.append((f"{name} {when}", pool.submit(judge, in_host[name], manifest, "org.picket.test.bad", words)))
        for name, future in running:
            complaint = future.result()
            print("WRONG" if complaint else "ok   ", name, complaint or "", flush=True)
            wrong += complaint is not None
    sys.exit(f"{wrong} plugins were not judged as they should be" if wrong else 0)


if __name__ == "__main__":
    main()
