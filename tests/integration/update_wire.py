#!/usr/bin/env python3
"""What an update costs on the wire, headers and metadata included, as nginx counts it: a check that finds nothing new, and one step of one
component in a repository of a hundred that has eight releases of it with their deltas. The server packs JSON, as servers of JSON do; without
that the step costs 13 kB (2026)."""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ["PICKET_BIN"])
BUILD = pathlib.Path(os.environ["PICKET_BUILD"])
COMPONENTS = 100
RELEASES = 8
WANTED = "component-050"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            sys.exit("timed out")
        time.sleep(0.02)


class Site:
    def __init__(self, work):
        self.work, self.repo = work, work / "publisher"
        run(BIN / "picket-repo", "init", "--repo", self.repo)
        self.release(1, [f"component-{i:03}" for i in range(1, COMPONENTS + 1)])
        self.port = free_port()
        self.log = work / "access.log"
        (work / "nginx.conf").write_text(
            f"daemon off; pid {work}/nginx.pid; error_log {work}/error.log; worker_processes 1; events {{}}\n"
            f"http {{ log_format wire '$request_length $bytes_sent $status $uri'; access_log {self.log} wire;\n"
            f" client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3; uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;\n"
            f" default_type application/json; gzip on; gzip_types application/json; gzip_min_length 200; gzip_comp_level 6;\n"
            f" server {{ listen 127.0.0.1:{self.port}; root {self.repo}/repository; }} }}\n")
        self.nginx = subprocess.Popen(["nginx", "-e", str(work / "error.log"), "-p", str(work), "-c", str(work / "nginx.conf")])
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)

    def release(self, number, components):
        content = self.work / "content"
        content.mkdir(exist_ok=True)
        for component in components:
            # Hex of hashes: content that does not pack to nothing, so that a delta is worth making.
            lines = [hashlib.sha256(f"{component} {i}".encode()).hexdigest() for i in range(2000)]
            (content / "rules.yar").write_text("\n".join(lines + [f"added in {n}" for n in range(number)]))
            run(BIN / "picket-repo", "add", "--repo", self.repo, "--component", component, "--release", number, "--level", 1, content)
        run(BIN / "picket-repo", "sign", "--repo", self.repo)
        run(BIN / "picket-repo", "publish", "--repo", self.repo)

    def requests(self, do):
        """What nginx logged while `do` ran: (bytes received, bytes sent, status, uri) each."""
        before = self.log.stat().st_size if self.log.exists() else 0
        do()
        time.sleep(0.3)  # nginx writes a line after the client has its answer
        with self.log.open() as log:
            log.seek(before)
            return [(int(a), int(b), int(c), d) for a, b, c, d in (line.split() for line in log)]


def main():
    if shutil.which("nginx") is None:
        print("nginx is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        work.chmod(0o755)  # nginx may serve as another user
        site = Site(work)
        (work / "settings").mkdir()
        (work / "settings/org.picket.update.json").write_text(json.dumps({
            "interval_minutes": 0, "components": [WANTED],
            "sources": [{"name": "web", "plugin": "org.picket.source-http", "location": f"http://127.0.0.1:{site.port}/"}]}))
        (work / "settings/org.picket.source-http.json").write_text('{"allow_http": true, "proxy": "none"}')
        plugins = work / "plugins"
        shutil.copytree(BUILD / "plugins/org.picket.source-http", plugins / "org.picket.source-http")
        picketd = subprocess.Popen([str(part) for part in (
            BIN / "picketd", "--config", "/dev/null", "--data-dir", work / "data", "--run-dir", work / "run", "--plugin-dir", plugins,
            "--plugin-keys", BUILD / "devkey", "--policy-keys", work / "none", "--settings-dir", work / "settings",
            "--update-root", site.repo / "repository/metadata/1.root.json", "--log-level", "warning")])
        try:
            wait_for(lambda: (work / "run/picketd.sock").exists())
            def update():
                run(BIN / "picketctl", "--socket", work / "run/picketd.sock", "update", "run", "--json")
            site.requests(update)
            for number in range(2, RELEASES):  # as a repository looks that has been kept for a while
                site.release(number, [WANTED])
            site.requests(update)
            judge("a check that finds nothing new", site.requests(update), requests=2, limit=1500)
            site.release(RELEASES, [WANTED])
            judge("one step of one component of a hundred, without its delta", site.requests(update), limit=8 * 1024, delta=site)
        finally:
            for process in (picketd, site.nginx):
                process.terminate()
                process.wait(timeout=30)


def judge(what, seen, limit, requests=None, delta=None):
    cost = sum(received + sent for received, sent, _, _ in seen)
    targets = [one for one in seen if one[3].startswith("/targets/")]
    if delta is not None:
        if len(targets) != 1 or targets[0][1] > 2000:
            sys.exit(f"{what}: that was no delta: {targets}")
        cost -= (delta.repo / "repository" / targets[0][3][1:]).stat().st_size
    print(f"{what}: {cost} bytes in {len(seen)} requests")
    for received, sent, status, uri in seen:
        print(f"  {received:5} received {sent:7} sent  {status} {uri}")
    if cost > limit or (requests is not None and len(seen) > requests) or not seen:
        sys.exit(f"{what}: {cost} bytes in {len(seen)} requests, at most {limit} bytes" + (f" in {requests}" if requests else ""))


main()
