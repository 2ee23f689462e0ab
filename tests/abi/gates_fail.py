#!/usr/bin/env python3
"""gates_fail.py INCLUDE: the gates guard. Each change below is made to a copy of the headers; the gates must say what is stated."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

import gate

HERE = pathlib.Path(__file__).resolve().parent

# name, header, text, replacement, does abidiff pass, does abi_layout.c pass
CHANGES = [
    ("nothing", "plugin.h", "", "", True, True),
    ("a member in the middle of the host", "plugin.h", "  void (*set_error)(const struct picket_host", "  void (*added)(void);\n  void (*set_error)(const struct picket_host", False, False),
    ("a member at the end of the host", "plugin.h", "picket_bytes utf8);\n} picket_host;", "picket_bytes utf8);\n  void (*added)(void);\n} picket_host;", True, True),
    ("a member in the middle of an extension", "ext/bus.h", "  picket_status (*grant)(", "  picket_status (*added)(void);\n  picket_status (*grant)(", False, False),
    ("a member at the end of an extension", "ext/bus.h", "\n} picket_host_bus;", "\n  picket_status (*added)(void);\n} picket_host_bus;", True, True),
    ("a member less", "ext/timer.h", "  picket_status (*cancel)(const picket_host *host, uint64_t timer_id);\n", "", False, False),
    ("another name of a member", "ext/storage.h", "(*remove)(const picket_host *host, picket_bytes key)", "(*erase)(const picket_host *host, picket_bytes key)", True, False),
    ("another type of an argument", "ext/health.h", "int32_t health, picket_bytes", "int64_t health, picket_bytes", False, False),
    ("another type of a member", "ext/bus.h", "  uint32_t timeout_ms;       /*", "  uint64_t timeout_ms;       /*", False, False),
    ("a member more in what has no size", "plugin.h", "  size_t size;\n} picket_bytes;", "  size_t size;\n  size_t added;\n} picket_bytes;", False, False),
    ("a member more in a sink", "plugin.h", "\n} picket_sink;", "\n  void (*added)(void);\n} picket_sink;", True, False),
]


def layout_passes(include):
    done = subprocess.run(["gcc", "-std=c11", "-fsyntax-only", "-I", include, HERE / "abi_layout.c"], capture_output=True, text=True)
    return done.returncode == 0


def main():
    if not gate.is_possible():
        print("abidw, abidiff (abigail-tools) and gcc are needed")
        sys.exit(77)
    wrong = 0
    for name, header, text, replacement, abidiff_passes, frozen_layout_passes in CHANGES:
        with tempfile.TemporaryDirectory() as folder:
            include = pathlib.Path(folder) / "include"
            shutil.copytree(sys.argv[1], include)
            path = include / "picket" / header
            before = path.read_text()
            if text not in before:
                sys.exit(f"{name}: {header} has no longer the text that this test changes")
            path.write_text(before.replace(text, replacement, 1) if text else before)
            words = gate.compare(include)
            layout = layout_passes(include)
            good = (words == "") == abidiff_passes and layout == frozen_layout_passes
            print(f"{'ok   ' if good else 'WRONG'} {name}: abidiff {'passes' if words == '' else 'fails'}, layout {'passes' if layout else 'fails'}", flush=True)
            if not good:
                print(words)
            wrong += not good
    sys.exit(f"{wrong} changes were not judged as they should be" if wrong else 0)


if __name__ == "__main__":
    main()
