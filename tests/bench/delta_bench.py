#!/usr/bin/env python3
"""Deltas on real databases: bytes and CPU of applying them, beside zstd --patch-from, bsdiff, xdelta3 and the full download.

The series are archives v01 .. v12 of consecutive versions, NAME.tar.zst, in the folder that PICKET_SERIES names, or in shared/data beside the
source tree. PICKET_SERIES_ONLY: only series whose names hold this. PICKET_SERIES_STEPS: how many steps of each, the newest ones (1; all of
them take half an hour, most of it in the other tools). Each step is measured with every tool; "best" is, step by step, the tool with
the fewest bytes, so the peer of a sum is not one tool but the best of them."""
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["PICKET_SOURCE"])
TOOL = pathlib.Path(os.environ["PICKET_BUILD"]) / "bench" / "delta_tool"
SERIES = pathlib.Path(os.environ.get("PICKET_SERIES", SOURCE.parent / "shared" / "data"))
SINGLE = {"sigbase-yarc-weekly": "rules.yarc", "maltrail-flat-daily": "trails.txt", "maltrail-hashset-daily": "set.bin"}  # others are trees


def cpu(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tools(old, new, delta, out):
    return {
        "ours": ((TOOL, "make", old, new, delta), (TOOL, "apply", old, delta, out)),
        "zstd": (("zstd", "-qf19", "--long=27", "--patch-from", old, new, "-o", delta), ("zstd", "-qdf", "--long=27", "--patch-from", old, delta, "-o", out)),
        "bsdiff": (("bsdiff", old, new, delta), ("bspatch", old, out, delta)),
        "xdelta3": (("xdelta3", "-9", "-e", "-f", "-B", 1 << 26, "-s", old, new, delta), ("xdelta3", "-d", "-f", "-s", old, delta, out)),
    }


def step(old, new, work):
    """tool -> (bytes, seconds of CPU to apply: the best of three)"""
    found = {}
    delta, out = work / "delta", work / "out"
    for name, (make, apply) in tools(old, new, delta, out).items():
        for path in (delta, out):
            path.unlink(missing_ok=True)
        cpu(*make)
        seconds = min(cpu(*apply) for _ in range(3))
        if name == "ours" and out.read_bytes() != new.read_bytes():
            sys.exit(f"{old} to {new}: what came out is not what went in")
        found[name] = (delta.stat().st_size, seconds)
    return found


def versions(archive, work):
    """The contents of each version as a delta sees them: the file, or the tar that picket-repo makes of the tree."""
    name = archive.name.removesuffix(".tar.zst")
    unpacked = work / "unpacked"
    unpacked.mkdir()
    zstd = subprocess.Popen(["zstd", "-dc", str(archive)], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(unpacked)], stdin=zstd.stdout, check=True)
    if zstd.wait() != 0:
        sys.exit(f"{archive}: cannot be unpacked")
    out = []
    for folder in sorted(unpacked.glob("v[0-9][0-9]")):
        if name in SINGLE:
            out.append(folder / SINGLE[name])
        else:
            out.append(work / f"{folder.name}.tar")
            subprocess.run([str(TOOL), "tar", str(folder), str(out[-1])], check=True)
    return name, out


def row(name, ours, peer, peer_name, unit, goal, ratio):
    print(json.dumps({"name": name, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit, "better": "lower", "goal": goal, "goal_ratio": ratio}), flush=True)


def main():
    archives = [path for path in sorted(SERIES.glob("*.tar.zst")) if os.environ.get("PICKET_SERIES_ONLY", "") in path.name]
    if not archives:
        print(f"delta_bench: skipped, no series in {SERIES} (PICKET_SERIES names another folder)", file=sys.stderr)
        return
    for archive in archives:
        with tempfile.TemporaryDirectory() as place:
            work = pathlib.Path(place)
            name, contents = versions(archive, work)
            contents = contents[-1 - int(os.environ.get("PICKET_SERIES_STEPS", "1")):]
            steps = f"{len(contents) - 1} steps" if len(contents) != 2 else "newest step"
            sums = {"ours": 0, "best": 0, "ours cpu": 0.0, "best cpu": 0.0, "full": 0}
            worst, slowest = 0.0, 0.0
            for old, new in zip(contents, contents[1:]):
                found = step(old, new, work)
                best = min((value for tool, value in found.items() if tool != "ours"), key=lambda value: value[0])
                ours = found["ours"]
                sums["ours"] += ours[0]
                sums["best"] += best[0]
                sums["ours cpu"] += ours[1]
                sums["best cpu"] += best[1]
                worst = max(worst, ours[0] / best[0])
                slowest = max(slowest, ours[1] / best[1])
                print(f"{name} {new.parent.name if name in SINGLE else new.stem}: " + ", ".join(f"{tool} {size} {seconds:.3f} s" for tool, (size, seconds) in found.items()), file=sys.stderr)
            packed = work / "full"
            cpu("zstd", "-qf19", contents[-1], "-o", packed)
            full = packed.stat().st_size * (len(contents) - 1)
            row(f"delta bytes, {name}, {steps}", sums["ours"], sums["best"], "best tool of each step", "B", "at most the best tool", 1.0)
            row(f"delta bytes, {name}, worst step", round(worst, 3), 1, "best tool", "ratio", "at most the best tool", 1.0)
            row(f"delta apply, {name}, {steps}", round(1000 * sums["ours cpu"], 1), round(1000 * sums["best cpu"], 1), "that tool", "ms CPU", "at least as fast", 1.0)
            row(f"delta bytes, {name}, {steps}, to full", sums["ours"], full, "zstd -19 of the whole", "B", "far below the full download", 0.5)


main()
