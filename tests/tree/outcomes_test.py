#!/usr/bin/env python3
"""tests/support/outcomes.py tells of every test that was repeated or skipped: seen on a real run of ctest over tests that do both."""
import pathlib
import subprocess
import tempfile

import outcomes

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(outcomes NONE)
enable_testing()
add_test(NAME good COMMAND sh -c "echo fine")
add_test(NAME flaky COMMAND sh -c "test -e flag || { touch flag; echo '[  FAILED  ] Part.that_fails_once (3 ms)'; exit 1; }")
add_test(NAME bad COMMAND sh -c "exit 1")
add_test(NAME absent COMMAND sh -c "echo skipped: no redis; exit 77")
add_test(NAME half COMMAND sh -c "echo left out: the whole lists; echo fine")
add_test(NAME in_part COMMAND sh said.sh)
set_tests_properties(absent PROPERTIES SKIP_RETURN_CODE 77)
"""
SAID = """cat <<'END'
[ RUN      ] Disk.is_full
x.cpp:1: Skipped
no small disk

[  SKIPPED ] Disk.is_full (0 ms)
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] Disk.is_full
END
"""


def told(*words):
    done = subprocess.run(["python3", outcomes.__file__, *map(str, words)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines()


with tempfile.TemporaryDirectory(prefix="picket-outcomes-") as place:
    source, build = pathlib.Path(place), pathlib.Path(place) / "build"
    (source / "CMakeLists.txt").write_text(PROJECT)
    subprocess.run(["cmake", "-G", "Ninja", "-S", source, "-B", build], check=True, capture_output=True, timeout=100)
    (build / "said.sh").write_text(SAID)
    subprocess.run(["ctest", "--test-dir", build, "-j", "2", "--repeat", "until-pass:2"], capture_output=True, timeout=100)
    wanted = ["build: 6 tests ran, 2 repeated, 3 skipped", "  repeated: bad: failed, then failed again: it does not say why",
              "  repeated: flaky: failed, then passed: [  FAILED  ] Part.that_fails_once (3 ms)", "  skipped: absent: skipped: no redis",
              "  skipped: half, left out: the whole lists",
              "  skipped: in_part, Disk.is_full: no small disk"]
    assert told(build) == (0, wanted), told(build)
    assert told("--no-skips", build) == (1, wanted), told("--no-skips", build)
    # The last of the log, behind whose words ctest's own stand.
    subprocess.run(["ctest", "--test-dir", build, "-R", "absent"], capture_output=True, timeout=100)
    assert told(build) == (0, ["build: 1 tests ran, 0 repeated, 1 skipped", "  skipped: absent: skipped: no redis"]), told(build)
    # Another run, in which all is well: nothing of the first one is left.
    subprocess.run(["ctest", "--test-dir", build, "-R", "good"], check=True, capture_output=True, timeout=100)
    assert told("--no-skips", build) == (0, ["build: 1 tests ran, 0 repeated, 0 skipped"]), told(build)
    assert told("--no-skips", source)[0] == 1, "where no test ran"
print("repeats and skips are told")
