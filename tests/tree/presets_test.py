#!/usr/bin/env python3
"""Every preset can be built and tested by its name, and `coverage`, which no other test configures, builds what counts its lines."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["PICKET_SOURCE"])
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(probe LANGUAGES C CXX)
enable_testing()
add_executable(probe main.cpp half.c)
set_target_properties(probe PROPERTIES UNITY_BUILD OFF)
add_test(NAME probe COMMAND probe)
"""
MAIN = 'extern "C" int half(int number);\nint main() { return half(0); }\n'
HALF = "int half(int number) {\n  if (number > 0)\n    return number / 2;\n  return 0;\n}\n"


def run(*command, cwd):
    environment = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}  # gcov reads what gcc counts
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


presets = json.loads((SOURCE / "CMakePresets.json").read_text())
names = {preset["name"] for preset in presets["configurePresets"] if not preset.get("hidden")}
for kind in ("buildPresets", "testPresets"):
    assert {preset["name"] for preset in presets[kind]} == names, (kind, names)
assert "installer/coverage [CTEST-OPTION...]" in run(SOURCE / "installer" / "coverage", "--help", cwd=SOURCE)

lacking = [tool for tool in ("cmake", "ctest", "ninja", "ccache", "mold", "gcov") if shutil.which(tool) is None]
if lacking:
    print("not installed:", *lacking)
    sys.exit(77)
with tempfile.TemporaryDirectory(prefix="picket-presets-") as work:
    work = pathlib.Path(work)
    shutil.copy(SOURCE / "CMakePresets.json", work)
    for name, text in (("CMakeLists.txt", PROJECT), ("main.cpp", MAIN), ("half.c", HALF)):
        (work / name).write_text(text)
    run("cmake", "--preset", "coverage", cwd=work)
    run("cmake", "--build", "--preset", "coverage", cwd=work)
    run("ctest", "--preset", "coverage", cwd=work)
    counted = {file.name.split(".")[0]: file for file in (work / "build" / "coverage").rglob("*.gcda")}
    assert {"main", "half"} <= counted.keys(), list(counted.values())
    said = run("gcov", "-n", counted["half"], cwd=work)
    assert "Lines executed:75.00% of 4" in said, said
print("presets:", *sorted(names))
