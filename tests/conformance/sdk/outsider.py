#!/usr/bin/env python3
"""As an outsider would: install the SDK somewhere, copy its template elsewhere, build and test that with plain cmake against nothing but the SDK.
Then the same with the plugin that the README of the whole tree shows."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile


def run(*command, **options):
    print("$", " ".join(map(str, command)), flush=True)
    done = subprocess.run([str(part) for part in command], timeout=560, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    print(done.stdout, flush=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return done.stdout


def first_plugin(language):
    """The C++ of README.md, or its manifest."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (pathlib.Path(os.environ["PICKET_SOURCE"]) / "README.md").read_text(), re.S)
    if len(blocks) != 1 or "com.example.hello" not in blocks[0]:
        sys.exit(f"README.md shows {len(blocks)} pieces of {language}, not the one plugin")
    return blocks[0]


def without_cmake(sdk, folder, env):
    """The line of the author's guide, with hello.cpp in `folder`."""
    [line] = re.findall(r"^    (g\+\+ .*)$", (sdk / "share/picket/README.md").read_text(), re.M)
    run(*shlex.split(line.replace("SDK/", f"{sdk}/")), cwd=folder, env=env)
    return folder / "hello.so"


def main():
    build = pathlib.Path(os.environ["PICKET_BUILD"])
    # Nothing of how the tree was built may help or hinder.
    env = {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_PREFIX_PATH")}
    with tempfile.TemporaryDirectory(prefix="picket-outsider-") as folder:
        root = pathlib.Path(folder)
        sdk, work, out = root / "sdk", root / "my-plugin", root / "my-plugin" / "build"
        run("cmake", "--install", build, "--component", "sdk", "--prefix", sdk, env=env)
        for needed in ("include/picket/plugin.h", "include/picket/ext/bus.h", "include/picket/testing/fake_host.hpp", "share/picket/README.md",
                       "share/picket/schema/manifest.schema.json", "share/picket/proto/picket/source/v1/source.proto", "bin/picket-plugin-pack", "bin/picket-plugin-check"):
            if not (sdk / needed).is_file():
                sys.exit(f"the installed SDK has no {needed}")
        leaked = [str(path) for path in sdk.rglob("*") if path.is_file() and path.suffix in (".cmake", ".h", ".hpp", ".txt", ".md")
                  and any(name in path.read_text() for name in (str(build), os.environ["PICKET_SOURCE"]))]
        if leaked:
            sys.exit(f"these installed files name the build's own folders: {leaked}")

        shutil.copytree(sdk / "share/picket/template", work)
        run("cmake", "-S", work, "-B", out, f"-DCMAKE_PREFIX_PATH={sdk}", "-DCMAKE_BUILD_TYPE=Debug", env=env)
        run("cmake", "--build", out, env=env)
        told = run("ctest", "--test-dir", out, "--output-on-failure", "--timeout", "120", env=env)
        if "hello_test" not in told:
            sys.exit("the template's own test did not run")
        package = out / "plugins/com.example.hello/0.1.0"
        for name in ("plugin.json", "plugin.json.dsse", "hello.so"):
            if not (package / name).is_file():
                sys.exit(f"the package has no {name}")
        check = sdk / "bin/picket-plugin-check"
        run(check, "static", package, env=env)
        # In place of the template's.
        (work / "src/hello.cpp").write_text(first_plugin("cpp"))
        (work / "plugin.json").write_text(first_plugin("json"))
        run("cmake", "--build", out, "--target", "hello", env=env)
        for library in (out / "hello.so", without_cmake(sdk, work / "src", env)):
            for command in ("static", "run"):
                run(check, command, library, "--manifest", work / "plugin.json", env=env)


if __name__ == "__main__":
    main()
