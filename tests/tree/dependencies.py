#!/usr/bin/env python3
"""Dependencies point one way (design, section 3). Fails with each include that does not.

Called with --self-test it checks that a wrong include would be found."""
import pathlib
import re
import sys

AGENT = {
    "core": set(),
    "runtime": {"core"},
    "storage": {"core"},
    "bus": {"core", "runtime"},
    "isolation": {"core", "runtime", "bus"},
    "plugin_host": {"core", "runtime", "storage", "bus", "isolation"},
    "launcher": set(),
    "selfupdate": {"core", "runtime", "storage", "bus", "plugin_host", "launcher"},
    "policy": {"core", "runtime", "storage"},
    "update": {"core", "runtime", "storage", "bus"},
    "tasks": {"core", "runtime", "storage", "bus"},
    "ctl": {"core", "runtime", "bus"},
    "app": {"core", "runtime", "storage", "bus", "isolation", "plugin_host", "policy", "update", "tasks", "launcher", "selfupdate"},
}
SDK = {"base": set(), "certificates": {"base"}, "trust": {"base"}, "delta": {"base"}, "content": {"base"}, "digests": {"base"}, "ksn": {"base", "trust"}, "ksn_store": {"base", "ksn"}, "tools": {"base", "certificates", "trust", "delta", "content", "digests", "ksn", "ksn_store"}, "include": set(), "proto": set(), "template": set()}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)


def wrong_includes(path, text):
    """Yields (included file, why) for a source file at `path`, relative to the root."""
    area, part = path.parts[0], path.parts[1]
    for included in INCLUDE.findall(text):
        first = included.split("/")[0]
        if area == "agent":
            if first in AGENT and first != part and first not in AGENT[part]:
                yield included, f"agent/{part} may not use agent/{first}"
        elif area == "sdk":
            if first in AGENT:
                yield included, "sdk may not use agent"
            if first in SDK and part in SDK and first != part and first not in SDK[part]:
                yield included, f"sdk/{part} may not use sdk/{first}"
        elif area == "plugins":
            if first in AGENT:
                yield included, "a plugin links the sdk only"
        if included.startswith(("tests/", "support/")) and area != "tests":
            yield included, "product code may not use tests"


def check(root):
    bad = seen = 0
    for area in ("agent", "sdk", "plugins"):
        for path in sorted((root / area).rglob("*")):
            if path.suffix not in (".hpp", ".cpp", ".h", ".c"):
                continue
            seen += 1
            relative = path.relative_to(root)
            for included, why in wrong_includes(relative, path.read_text()):
                print(f"{relative}: includes {included}: {why}")
                bad += 1
    for folder in sorted(p.parent for area in ("agent", "sdk", "plugins") for p in (root / area).rglob("CMakeLists.txt")):
        if folder.parent.name in ("agent", "plugins") and not (folder / "README.md").exists():
            print(f"{folder.relative_to(root)}: has no README.md")
            bad += 1
    print(f"{seen} files, {bad} wrong")
    return bad == 0 and seen > 50


def self_test():
    path = pathlib.Path("agent/core/x.cpp")
    assert list(wrong_includes(path, '#include "bus/bus.hpp"\n')), "a wrong include was not found"
    assert not list(wrong_includes(path, '#include "base/result.hpp"\n'))
    assert list(wrong_includes(pathlib.Path("plugins/x/src/a.cpp"), '  # include <core/clock.hpp>'))
    assert list(wrong_includes(pathlib.Path("sdk/base/a.cpp"), '#include "trust/keys.hpp"'))


self_test()
sys.exit(0 if check(pathlib.Path(sys.argv[1])) else 1)
