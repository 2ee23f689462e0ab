#!/usr/bin/env python3
"""gate.py INCLUDE: the headers below INCLUDE keep what 1.0 promised (abidiff against the stored baseline).
gate.py INCLUDE --write-baseline FILE: once for each release."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "baseline-1.0.abi"


def is_possible():
    return all(shutil.which(tool) for tool in ("abidw", "abidiff", "gcc"))


def build(include, folder):
    library = pathlib.Path(folder) / "libanchor.so"
    # gcc, whatever built the tree: the baseline was made with its debug information.
    subprocess.run(["gcc", "-std=c11", "-g", "-O0", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-soname,libanchor.so", "-I", include,
                    HERE / "abi_anchor.c", "-o", library], check=True)
    return library


def compare(include):
    """The objections, as text; "" when there are none."""
    with tempfile.TemporaryDirectory() as folder:
        library = build(include, folder)

        def abidiff(*options):
            done = subprocess.run(["abidiff", *options, BASELINE, library], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            return done.returncode, done.stdout

        status, words = abidiff("--suppr", HERE / "abi.suppr")
        if status != 0:
            return f"abidiff ended with {status}\n{words}"
        # libabigail 2.2 takes "inserted at the end" to be true also of a struct where nothing was inserted but a member's type changed. So look again without it:
        # what is left may speak of insertions only.
        status, words = abidiff("--leaf-changes-only")
        if status not in (0, 4) or re.search(r"data member (change|deletion)|[1-9]\d* Removed", words):
            return f"abidiff ended with {status}\n{words}"
        return ""


def main():
    if not is_possible():
        print("abidw, abidiff (abigail-tools) and gcc are needed")
        sys.exit(77)
    include = pathlib.Path(sys.argv[1])
    if len(sys.argv) == 4 and sys.argv[2] == "--write-baseline":
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--out-file", sys.argv[3], build(include, folder)], check=True)
        written = pathlib.Path(sys.argv[3])
        written.write_text(re.sub(r"path='[^']*/abi_anchor.c'", "path='abi_anchor.c'", written.read_text()))
        return
    objections = compare(include)
    sys.exit(f"the ABI is not what it was in 1.0: {objections}" if objections else 0)


if __name__ == "__main__":
    main()
