#!/usr/bin/env python3
"""Dependencies point one way, and each part has a short README. Fails with each include and README that is wrong.

Before that it checks that wrong ones would be found."""
import pathlib
import re
import sys
import tempfile

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
SDK = {
    "base": set(), "include": set(), "proto": set(), "template": set(),
    "certificates": {"base"}, "trust": {"base"}, "delta": {"base"}, "content": {"base"}, "digests": {"base"},
    "package": {"base", "trust"}, "ksn": {"base", "trust"}, "ksn_store": {"base", "ksn"},
    "tools": {"base", "certificates", "trust", "delta", "content", "digests", "package", "ksn", "ksn_store"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)


def of_plugins(root):
    """Every name by which a header below plugins/ could be included, for some include path."""
    headers = (path.relative_to(root / "plugins").parts for path in (root / "plugins").rglob("*.h*"))
    return {"/".join(parts[i:]) for parts in headers for i in range(len(parts))}


def is_ours(root, path, included):
    """Whether the name means a header of the agent or the SDK for the file at `path`."""
    return any((folder / included).exists() for folder in (root / path.parent, root / "agent", root / "sdk", root / "sdk/include", root / "sdk/tools"))


def wrong_includes(root, path, text, plugins):
    """Yields (included file, why) for a source file at `path`, relative to the root."""
    area, part = path.parts[0], path.parts[1]
    for included in INCLUDE.findall(text):
        first = included.split("/")[0]
        if area in ("agent", "sdk") and (first in ("..", "plugins") or (included in plugins and not is_ours(root, path, included))):
            yield included, f"{area} may not use a plugin, nor anything by a path that climbs"
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


NO_README = {"sdk/include", "sdk/tools"}  # the headers' own comments are the manual; a list of folders
LONG_READMES = {"sdk/README.md", "tests/bench/README.md"}  # the author's guide; a table of figures


def wrong_readmes(root):
    """Yields (path, why): a part says what it is for, in 15 lines at most."""
    for path in sorted(path for area in ("agent", "sdk", "plugins") for path in (root / area).rglob("CMakeLists.txt")):
        folder = path.parent.relative_to(root)
        if str(folder) not in NO_README and not (path.parent / "README.md").exists():
            yield folder, "has no README.md"
    for path in sorted(path for area in ("agent", "sdk", "plugins", "config", "installer", "tests") for path in (root / area).rglob("README.md")):
        lines = len(path.read_text().splitlines())
        if lines > 15 and str(path.relative_to(root)) not in LONG_READMES:
            yield path.relative_to(root), f"has {lines} lines, more than 15"


def check(root):
    bad = seen = 0
    plugins = of_plugins(root)
    for area, known in (("agent", AGENT), ("sdk", SDK)):
        for folder in sorted(path for path in (root / area).iterdir() if path.is_dir() and any(path.rglob("*.[hc]*p*"))):
            if folder.name not in known:
                print(f"{area}/{folder.name}: this test does not know what it may use")
                bad += 1
    for area in ("agent", "sdk", "plugins"):
        for path in sorted((root / area).rglob("*")):
            if path.suffix not in (".hpp", ".cpp", ".h", ".c"):
                continue
            seen += 1
            relative = path.relative_to(root)
            for included, why in wrong_includes(root, relative, path.read_text(), plugins):
                print(f"{relative}: includes {included}: {why}")
                bad += 1
    for path, why in wrong_readmes(root):
        print(f"{path}: {why}")
        bad += 1
    print(f"{seen} files, {bad} wrong")
    return bad == 0 and seen > 50


def self_test(root):
    plugins = of_plugins(root)

    def found(path, text):
        return list(wrong_includes(root, pathlib.Path(path), text, plugins))

    assert found("agent/core/x.cpp", '#include "bus/bus.hpp"\n'), "a wrong include was not found"
    assert not found("agent/core/x.cpp", '#include "base/result.hpp"\n')
    assert found("plugins/x/src/a.cpp", "  # include <core/clock.hpp>")
    assert found("sdk/base/a.cpp", '#include "trust/keys.hpp"')
    assert found("sdk/trust/a.cpp", '#include "package/manifest.hpp"')
    assert not found("sdk/tools/pack/a.cpp", '#include "package/manifest.hpp"')
    assert {"curl_source/desk.hpp", "asker.hpp"} <= plugins, "they have moved: name others here"
    for name in ("curl_source/desk.hpp", "asker.hpp", "plugins/common/curl_source/desk.hpp", "../../plugins/common/curl_source/desk.hpp"):
        assert found("agent/app/a.cpp", f'#include "{name}"') and found("sdk/base/a.cpp", f"#include <{name}>"), name
    with tempfile.TemporaryDirectory(prefix="picket-tree-") as place:
        part = pathlib.Path(place) / "plugins/common/x"
        part.mkdir(parents=True)
        (part / "CMakeLists.txt").touch()
        assert [why for _, why in wrong_readmes(pathlib.Path(place))] == ["has no README.md"]
        (part / "README.md").write_text("line\n" * 16)
        assert [why for _, why in wrong_readmes(pathlib.Path(place))] == ["has 16 lines, more than 15"]


self_test(pathlib.Path(sys.argv[1]))
sys.exit(0 if check(pathlib.Path(sys.argv[1])) else 1)
