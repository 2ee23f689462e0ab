#!/usr/bin/env python3
"""What a run of ctest hides, read from its logs in build folders: tests that failed and passed when they were repeated, tests that were skipped
(exit 77), tests of GoogleTest that skipped themselves in a program that passed, and what a script that passed left out.

Usage: outcomes.py [--no-skips] BUILD...      --no-skips: ends with 1 when anything was skipped, or when no test ran"""
import pathlib
import re
import sys

RUN = re.compile(r"^\d+/\d+ Testing: (.+)$")
RESULT = re.compile(r"^Test (Passed|Failed|Timeout|Exception.*|Not Run.*)\.?$", re.I)
SKIPPED_ITSELF = re.compile(r"^\[  SKIPPED \] (\S+) \(\d+ ms\)$")
LEFT_OUT = "left out: "  # how a line of a script begins that says so


def runs_of(log):
    """(name, whether it passed, lines of output) of each run, in order; a repeated test has several."""
    name, lines, passed = None, [], False
    for line in log.splitlines():
        begun = RUN.match(line)
        if begun:
            if name is not None:
                yield name, passed, lines
            name, lines, passed = begun.group(1), [], False
        elif line == "Output:":
            lines = []  # before it: the command
        elif RESULT.match(line):
            passed = line.startswith("Test Passed")
        else:
            lines.append(line)
    if name is not None:
        yield name, passed, lines


def why_it_failed(lines):
    told = [line for line in lines if "FAILED" in line or "Error" in line or "ERROR" in line]
    return told[0].strip() if told else "it does not say why"


def skipped_parts(lines):
    """What a program of GoogleTest skipped, with the first line of its reason, and what a script left out."""
    said = ""
    for at, line in enumerate(lines):
        if line.startswith(LEFT_OUT):
            yield line
        if line.endswith(": Skipped") and at + 1 < len(lines):
            said = lines[at + 1].strip()
        part = SKIPPED_ITSELF.match(line)
        if part:
            yield f"{part.group(1)}: {said or 'it does not say why'}"
            said = ""


def last_line(lines):
    told = [line.strip() for line in lines if line.strip() and not line.startswith(("----", "<end of output>", '"', "Test time", "End testing"))]
    return told[-1] if told else "it does not say why"


def outcomes(build):
    """Lines about the last run of ctest in this build folder, and how many tests ran."""
    logs = pathlib.Path(build) / "Testing/Temporary"
    log, not_run = logs / "LastTest.log", logs / "LastTestsDisabled.log"
    if not log.exists():
        return [], [], 0
    # NUMBER:NAME a line. An older run's file is gone by then: ctest removes it.
    ended_77 = {line.split(":", 1)[1] for line in not_run.read_text().splitlines()} if not_run.exists() else set()
    history = {}
    for name, passed, lines in runs_of(log.read_text(errors="replace")):
        history.setdefault(name, []).append((passed, lines))
    repeated, skipped = [], []
    for name, runs in sorted(history.items()):
        passed, lines = runs[-1]
        if len(runs) > 1:
            repeated.append(f"{name}: failed, then {'passed' if passed else 'failed again'}: {why_it_failed(runs[0][1])}")
        if name in ended_77:
            skipped.append(f"{name}: {last_line(lines)}")
        skipped += [f"{name}, {part}" for part in skipped_parts(lines)]
    return repeated, skipped, len(history)


def main(words):
    strict, bad = "--no-skips" in words, False
    for build in (word for word in words if word != "--no-skips"):
        repeated, skipped, ran = outcomes(build)
        name = pathlib.Path(build).name
        print(f"{name}: {ran} tests ran, {len(repeated)} repeated, {len(skipped)} skipped")
        for what, lines in (("repeated", repeated), ("skipped", skipped)):
            for line in lines:
                print(f"  {what}: {line}")
        bad |= strict and (ran == 0 or bool(skipped))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
