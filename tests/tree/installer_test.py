#!/usr/bin/env python3
"""What the scripts of installer/ share: they install what is missing and only that, say clearly what is missing if they cannot, show how far a build is
on a terminal and nothing of it elsewhere, and why it failed."""
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile

LIB = pathlib.Path(os.environ["PICKET_SOURCE"]) / "installer" / "lib.sh"
TOOLS = ("bash", "sh", "cat", "dirname", "env", "find", "grep", "head", "mkdir", "mktemp", "nproc", "rm", "tail")
NOT_INSTALLED, INSTALLED = "exit 1", "echo installed"
ROOT, SOMEBODY = "echo 0", "echo 1000"


class Computer:
    """One that has these programs and no others: `stubs` are the bodies of scripts."""

    def __init__(self, place, **stubs):
        self.root = pathlib.Path(tempfile.mkdtemp(dir=place))
        (self.root / "installer" / "packages").mkdir(parents=True)
        shutil.copy(LIB, self.root / "installer")
        (self.root / "installer" / "packages" / "list.txt").write_text("one two\n")
        self.path = self.root / "bin"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool))
        for name, body in stubs.items():
            stub = self.path / name.replace("_", "-")
            stub.write_text(f"#!/bin/sh\n{body}\n")
            stub.chmod(0o755)

    def start(self, command, stdout):
        return subprocess.Popen(["bash", "-c", f'set -euo pipefail; . "{self.root}/installer/lib.sh"; {command}'], stdin=subprocess.DEVNULL, stdout=stdout,
                                stderr=subprocess.PIPE, text=True, env={"PATH": str(self.path), "TERM": "xterm", "TMPDIR": str(self.root)})

    def run(self, command, status=0):
        process = self.start(command, subprocess.PIPE)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status, (command, process.returncode, out, err)
        return out if status == 0 else err

    def on_a_terminal(self, command):
        mine, its = pty.openpty()
        process = self.start(command, its)
        os.close(its)
        seen = b""
        try:
            while part := os.read(mine, 65536):
                seen += part
        except OSError:  # how the end of the other side looks
            pass
        os.close(mine)
        err = process.communicate(timeout=60)[1]
        assert process.returncode == 0, err
        return seen.decode()

    def log(self, name):
        return (self.root / name).read_text()


def packages(place):
    said = Computer(place).run("need list", status=1)
    assert said.startswith("bash: this is not Debian: ") and said.count("\n") == 1, said

    said = Computer(place, dpkg_query=NOT_INSTALLED, id=SOMEBODY).run("need list", status=1)
    assert said == "bash: missing packages, and neither root nor sudo to install them: one two\n", said

    said = Computer(place, dpkg_query=NOT_INSTALLED, id=ROOT, apt_get="echo E: no network >&2; exit 100").run("need list", status=1)
    assert said == "E: no network\nbash: could not install: one two\n", said

    apt = 'echo "$*" >>"$TMPDIR/apt"'
    computer = Computer(place, dpkg_query=NOT_INSTALLED, id=SOMEBODY, sudo='echo sudo >>"$TMPDIR/apt"; exec "$@"', apt_get=apt)
    assert computer.run("need list") == "installing: one two\n"
    asked = computer.log("apt").splitlines()
    assert [line.split()[-1] for line in asked] == ["sudo", "update", "sudo", "two"] and "install" in asked[3], asked

    assert Computer(place, dpkg_query=INSTALLED, id=SOMEBODY).run("need list") == "", "run again, it has nothing to do"


def builds(place):
    lines = "[1/2] Building a\nnote: of a compiler\n[2/2] Linking b\nkilled amid a"  # its last line has no end
    good = Computer(place, cmake=f"[ $1 != --build ] || printf '{lines}'")
    said = good.run("build dev")
    assert said.startswith("built (dev) in ") and said.count("\n") == 1 and "\033" not in said, said
    assert good.log("build/dev.log") == lines

    seen = good.on_a_terminal("build dev")
    assert "\rbuild [" + "#" * 20 + "." * 20 + "]  50% 1 of 2\033[K" in seen and "100% 2 of 2" in seen, seen
    assert "\r\033[Kbuilt (dev) in " in seen and "Linking" not in seen, seen
    assert good.log("build/dev.log").removesuffix("\n") == lines, "the bar takes nothing from the log"

    bad = Computer(place, cmake="[ $1 != --build ] || { echo '[1/2] Building a'; echo 'a.cpp:1: error: no' >&2; exit 1; }")
    said = bad.run("build dev", status=1)
    assert said == "a.cpp:1: error: no\nbash: the build (dev) failed; all of its output is in build/dev.log\n", said

    # As clang refuses what it compiled of a header before a package brought another one.
    upgraded = Computer(place, cmake=f"[ $1 != --build ] || ! [ -e '{place}/x.pch' ] || {{ echo 'fatal error: stddef.h has been modified since the precompiled header was built' >&2; exit 1; }}")
    precompiled = upgraded.root / "build" / "dev" / "base" / "cmake_pch.hxx.pch"
    precompiled.parent.mkdir(parents=True)
    precompiled.touch()
    (pathlib.Path(place) / "x.pch").symlink_to(precompiled)
    assert upgraded.run("build dev").startswith("built (dev) in ")
    assert not precompiled.exists()


with tempfile.TemporaryDirectory(prefix="picket-installer-") as work:
    packages(work)
    builds(work)
print("packages and builds")
