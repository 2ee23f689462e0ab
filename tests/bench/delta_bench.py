#!/usr/bin/env python3
"""Deltas on real databases: bytes and CPU of applying them, beside zstd --patch-from, bsdiff, xdelta3, zsync and the full download.

The series are archives v01 .. v12 of consecutive versions, NAME.tar.zst, in the folder that PICKET_SERIES names, or in shared/data beside the
source tree. PICKET_SERIES_ONLY: only series whose names hold this. PICKET_SERIES_STEPS: how many steps of each, the newest ones (1; all of
them, 11, take half an hour: PICKET_BENCH_LIMIT=3600). PICKET_SERIES_KEEP: a folder where the other tools' deltas are kept for the next run.

First all deltas are made, on all processors at once; then they are applied, one at a time, the tools in turns, and each result is compared. "Best"
is, step by step, the tool with the fewest bytes: the peer of a sum is not one tool but the best of them. zsync fetches from nginx: its bytes are
the bodies that nginx sent, its control file with them."""
import collections
import concurrent.futures
import filecmp
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["PICKET_SOURCE"])
BENCH = pathlib.Path(os.environ["PICKET_BUILD"]) / "bench"
SERIES = pathlib.Path(os.environ.get("PICKET_SERIES", SOURCE.parent / "shared" / "data"))
STEPS = int(os.environ.get("PICKET_SERIES_STEPS", "1"))
KEEP = os.environ.get("PICKET_SERIES_KEEP")
REPEATS = 3
SINGLE = {"sigbase-yarc-weekly": "rules.yarc", "maltrail-flat-daily": "trails.txt", "maltrail-hashset-daily": "set.bin"}  # others are trees
PEERS = ("zstd", "bsdiff", "xdelta3")  # of which the best is what we must reach
Step = collections.namedtuple("Step", "series old new")  # contents as a delta sees them: the file, or the tar that picket-repo makes of the tree
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "http_proxy"}  # zsync fetches from loopback


def run(*command):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def cpu(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


MAKE = {
    "ours": lambda old, new, delta: (BENCH / "delta_tool", "make", old, new, delta),
    "zstd": lambda old, new, delta: ("zstd", "-qf19", "--long=27", "--patch-from", old, new, "-o", delta),
    "bsdiff": lambda old, new, delta: ("bsdiff", old, new, delta),
    "xdelta3": lambda old, new, delta: ("xdelta3", "-9", "-e", "-f", "-B", 1 << 26, "-s", old, new, delta),
    "zsync": lambda _, new, delta: ("zsyncmake", "-u", new.name, "-f", new.name, "-o", delta, new),
    "full": lambda _, new, delta: ("zstd", "-qf19", new, "-o", delta),
}
APPLY = {
    "ours": lambda old, delta, out: (BENCH / "delta_apply", old, delta, out),
    "zstd": lambda old, delta, out: ("zstd", "-qdf", "--long=27", "--patch-from", old, delta, "-o", out),
    "bsdiff": lambda old, delta, out: ("bspatch", old, out, delta),
    "xdelta3": lambda old, delta, out: ("xdelta3", "-d", "-f", "-s", old, delta, out),
    "full": lambda _, delta, out: ("zstd", "-qdf", delta, "-o", out),
}


def unpack(archive, work):
    """The newest versions, as steps."""
    name = archive.name.removesuffix(".tar.zst")
    folder = work / name
    folder.mkdir()
    contents = []
    for number in range(12 - STEPS, 13):
        version = f"v{number:02}"
        run("tar", "-x", "--zstd", "-f", archive, "-C", folder, f"./{version}")
        contents.append(folder / f"{version}.content")
        if name in SINGLE:
            (folder / version / SINGLE[name]).rename(contents[-1])
        else:
            run(BENCH / "delta_tool", "tar", folder / version, contents[-1])
        run("rm", "-r", folder / version)
    return [Step(name, old, new) for old, new in zip(contents, contents[1:])]


def made(step, tool):
    """The tool's delta. zsync's control file lies beside the content, as on a server."""
    kept = KEEP and tool not in ("ours", "zsync")
    folder = pathlib.Path(KEEP) / step.series if kept else step.new.parent
    folder.mkdir(parents=True, exist_ok=True)
    delta = folder / f"{step.new.stem}.{tool}"
    if not (kept and delta.exists()):
        part = delta.with_suffix(".part-" + tool)
        run(*MAKE[tool](step.old, step.new, part))
        part.rename(delta)
    return delta


def applied(step, command, out):
    """Seconds of CPU: the least of a few."""
    least = None
    for _ in range(REPEATS):
        out.unlink(missing_ok=True)
        seconds = cpu(*command)
        if not filecmp.cmp(out, step.new, shallow=False):
            sys.exit(f"{step.series} {step.new.stem}: what {command[0]} made is not what it should be")
        least = min(least or seconds, seconds)
    return least


class Nginx:
    """Serves the work folder and says what was fetched."""

    def __init__(self, work):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}", work / "fetched"
        temporary = "".join(f" {kind}_temp_path {work}/temporary;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = work / "nginx.conf"
        config.write_text(f"""daemon off; worker_processes 1; pid {work}/pid; error_log {work}/errors; user root;
events {{ }}
http {{ log_format bytes '$uri $body_bytes_sent'; access_log {self.log} bytes; {temporary}
  server {{ listen 127.0.0.1:{port}; root {work}; }} }}""")
        self.process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("nginx does not answer")

    def stop(self):
        """Bytes by URI; all requests have been written down when it has ended."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)
        fetched = collections.Counter()
        for line in self.log.read_text().splitlines():
            uri, size = line.rsplit(" ", 1)
            fetched[uri] += int(size)
        return fetched


def measure(steps, work):
    """step -> tool -> [bytes, seconds of CPU to apply]"""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        making = {(step, tool): pool.submit(made, step, tool) for step in steps for tool in MAKE}
        deltas = {key: future.result() for key, future in making.items()}
    found = {step: {} for step in steps}
    out = work / "out"
    nginx = Nginx(work)
    try:
        for step in steps:
            for tool, command in APPLY.items():
                delta = deltas[step, tool]
                found[step][tool] = [delta.stat().st_size, applied(step, command(step.old, delta, out), out)]
            control = deltas[step, "zsync"].relative_to(work)
            found[step]["zsync"] = [0, applied(step, ("zsync", "-q", "-i", step.old, "-o", out, f"{nginx.url}/{control}"), out)]
    finally:
        fetched = nginx.stop()
    for step, tools in found.items():
        tools["zsync"][0] = sum(fetched[f"/{path.relative_to(work)}"] for path in (deltas[step, "zsync"], step.new)) // REPEATS
        print(f"{step.series} {step.new.stem}: " + ", ".join(f"{tool} {size} {seconds:.3f} s" for tool, (size, seconds) in tools.items()), file=sys.stderr)
    return found


def row(name, ours, peer, peer_name, unit, goal=None, ratio=None):
    print(json.dumps({"name": name, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit, "better": "lower", "goal": goal, "goal_ratio": ratio}), flush=True)


def report(name, found):
    steps = f"{len(found)} steps" if len(found) > 1 else "newest step"
    best = [min((tools[peer] for peer in PEERS), key=lambda value: value[0]) for tools in found]
    ours = [tools["ours"] for tools in found]
    sums = {tool: sum(tools[tool][0] for tools in found) for tool in MAKE}
    row(f"delta bytes, {name}, {steps}", sums["ours"], sum(size for size, _ in best), "best tool of each step", "B", "at most the best tool", 1.0)
    row(f"delta bytes, {name}, worst step", max(mine[0] / peer[0] for mine, peer in zip(ours, best)), 1, "best tool", "ratio", "at most the best tool", 1.0)
    for peer in (*PEERS, "zsync", "full"):
        row(f"delta bytes, {name}, {steps}, to {peer}", sums["ours"], sums[peer], peer, "B")
    row(f"delta apply, {name}, {steps}", 1000 * sum(seconds for _, seconds in ours), 1000 * sum(seconds for _, seconds in best), "that tool", "ms CPU", "at least as fast", 1.0)
    row(f"delta apply, {name}, worst step", max(mine[1] / peer[1] for mine, peer in zip(ours, best)), 1, "that tool", "ratio", "at least as fast", 1.0)


def table(found):
    """For people: one line for each series."""
    def line(*cells):
        print("| " + " | ".join(str(cell) for cell in cells) + " |", file=sys.stderr)
    line("series", "steps", *(f"{tool}: bytes (ms to apply)" for tool in (*APPLY, "zsync")), "steps with fewest bytes", "applied as fast as the smallest tool")
    for name, steps in found.items():
        best = [min((tools[peer] for peer in PEERS), key=lambda value: value[0]) for tools in steps]
        cells = [f"{sum(tools[tool][0] for tools in steps):,} ({1000 * sum(tools[tool][1] for tools in steps):,.0f})" for tool in (*APPLY, "zsync")]
        line(name, len(steps), *cells, *(sum(tools["ours"][which] <= peer[which] for tools, peer in zip(steps, best)) for which in (0, 1)))


def main():
    archives = [path for path in sorted(SERIES.glob("*.tar.zst")) if os.environ.get("PICKET_SERIES_ONLY", "") in path.name]
    if not archives:
        print(f"delta_bench: skipped, no series in {SERIES} (PICKET_SERIES names another folder)", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place)
        by_series = {}
        for step, tools in measure([step for archive in archives for step in unpack(archive, work)], work).items():
            by_series.setdefault(step.series, []).append(tools)
    for name, found in by_series.items():
        report(name, found)
    table(by_series)


main()
