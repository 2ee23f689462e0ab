#!/usr/bin/env python3
"""matrix.py INCLUDE: every public C header alone, and a whole C plugin, compile without a warning and without hidden padding in C11 to C++23, by gcc and clang.
The C++ headers compile in C++20 and C++23."""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
C, CPP = ["c11", "c17"], ["c++17", "c++20", "c++2b"]
COMPILERS = [("gcc", "g++"), ("clang", "clang++"), ("clang-14", "clang++-14")]


def compile_one(compiler, language, standard, include, source, extra):
    command = [compiler, "-x", language, f"-std={standard}", *WARNINGS, *extra, "-fsyntax-only", "-I", include, "-"]
    done = subprocess.run(command, input=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
    return done.returncode == 0, done.stdout


def main():
    include = pathlib.Path(sys.argv[1])
    headers = sorted(str(path.relative_to(include)) for path in include.rglob("picket/**/*.h"))
    wrappers = sorted(str(path.relative_to(include)) for path in include.rglob("picket/**/*.hpp"))
    if len(headers) < 6 or len(wrappers) < 3:
        sys.exit(f"only {headers} and {wrappers} found below {include}")
    plugin = (HERE / "c_plugin.c").read_text()
    found, seen, jobs = 0, set(), []
    for c_compiler, cpp_compiler in COMPILERS:
        path = shutil.which(c_compiler)
        if path is None or shutil.which(cpp_compiler) is None or pathlib.Path(path).resolve() in seen:
            continue
        seen.add(pathlib.Path(path).resolve())
        found += 1
        for language, compiler, standards in (("c", c_compiler, C), ("c++", cpp_compiler, CPP)):
            for standard in standards:
                jobs += [(compiler, language, standard, include, f"#include <{header}>\n#include <{header}>\n", ["-Wpadded"]) for header in headers]
                jobs.append((compiler, language, standard, include, plugin, []))
        # C++23 is not everywhere in clang 14's idea of libstdc++ 12; the wrappers promise C++20.
        for standard in CPP[1:] if compiler.startswith("g++") else CPP[1:2]:
            jobs.append((cpp_compiler, "c++", standard, include, "".join(f"#include <{header}>\n" for header in wrappers), []))
    if found == 0:
        print("neither gcc nor clang is here")
        sys.exit(77)
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for job, (good, words) in zip(jobs, pool.map(lambda job: compile_one(*job), jobs)):
            if not good:
                wrong += 1
                print(f"{job[0]} -std={job[2]}: {job[4].splitlines()[0]}\n{words}", flush=True)
    print(f"{len(jobs)} compilations by {found} compilers, {wrong} with complaints")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
