#!/usr/bin/env python3
"""A first update of twenty components from nginx, one at a time against several (parallel_downloads), on two kinds of line: one with
a delay of 60 ms in front of each request, and one where a connection gets 2 MB/s. A fresh picketd each time, all in one run."""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

BIN, BUILD = pathlib.Path(os.environ["PICKET_BIN"]), pathlib.Path(os.environ["PICKET_BUILD"])
COMPONENTS, BYTES, DELAY, RATE = 20, 400_000, 0.06, "2m"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            sys.exit("timed out")
        time.sleep(0.02)


class FarAway:
    """Hands on to a port, with a delay before what a client sends goes on: a line with a long way."""

    def __init__(self, port):
        self.to, self.listener = port, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.to))
            for from_, to, delay in ((client, server, DELAY), (server, client, 0)):
                threading.Thread(target=self.pump, args=(from_, to, delay), daemon=True).start()

    @staticmethod
    def pump(from_, to, delay):
        try:
            while data := from_.recv(1 << 16):
                time.sleep(delay)
                to.sendall(data)
        except OSError:
            pass
        for end in (from_, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def publish(work):
    repo, content = work / "publisher", work / "content"
    run(BIN / "picket-repo", "init", "--repo", repo)
    content.mkdir()
    for number in range(COMPONENTS):
        noise = b"".join(hashlib.sha256(f"{number} {i}".encode()).digest() for i in range(BYTES // 32))
        (content / "data").write_bytes(noise)
        run(BIN / "picket-repo", "add", "--repo", repo, "--component", f"component-{number:02}", "--release", 1, "--level", 1, content)
    run(BIN / "picket-repo", "sign", "--repo", repo)
    run(BIN / "picket-repo", "publish", "--repo", repo)
    return repo


def serve(work, repo):
    port, slow = free_port(), free_port()
    (work / "nginx.conf").write_text(
        f"daemon off; pid {work}/nginx.pid; error_log {work}/error.log; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3; uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;\n"
        f" server {{ listen 127.0.0.1:{port}; root {repo}/repository; }}\n"
        f" server {{ listen 127.0.0.1:{slow}; root {repo}/repository; limit_rate {RATE}; }} }}\n")
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-e", str(work / "error.log"), "-p", str(work), "-c", str(work / "nginx.conf")])
    wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    return nginx, port, slow


def update(work, name, port, parallel):
    place = work / name
    (place / "settings").mkdir(parents=True)
    (place / "settings/org.picket.update.json").write_text(json.dumps({
        "interval_minutes": 0, "parallel_downloads": parallel, "components": [f"component-{number:02}" for number in range(COMPONENTS)],
        "sources": [{"name": "web", "plugin": "org.picket.source-http", "location": f"http://127.0.0.1:{port}/"}]}))
    (place / "settings/org.picket.source-http.json").write_text('{"allow_http": true, "proxy": "none"}')
    shutil.copytree(BUILD / "plugins/org.picket.source-http", place / "plugins/org.picket.source-http")
    picketd = subprocess.Popen([str(part) for part in (
        BIN / "picketd", "--config", "/dev/null", "--data-dir", place / "data", "--run-dir", place / "run", "--plugin-dir", place / "plugins",
        "--plugin-keys", BUILD / "devkey", "--policy-keys", place / "none", "--settings-dir", place / "settings",
        "--update-root", work / "publisher/repository/metadata/1.root.json", "--log-level", "warning")])
    try:
        wait_for(lambda: (place / "run/picketd.sock").exists())
        began = time.monotonic()
        result = json.loads(run(BIN / "picketctl", "--socket", place / "run/picketd.sock", "update", "run", "--json"))["data"]
        result = result.get("result", result) if isinstance(result.get("result"), dict) else result
        took = time.monotonic() - began
        if sum(one["result"] == "updated" for one in result["components"]) != COMPONENTS:
            sys.exit(f"not all came: {result}")
        return took
    finally:
        picketd.terminate()
        picketd.wait(timeout=30)


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        work.chmod(0o755)  # nginx may serve as another user
        repo = publish(work)
        nginx, port, slow = serve(work, repo)
        try:
            for line, to in ((f"{DELAY * 1000:.0f} ms before each request", FarAway(port).port), ("2 MB/s for each connection", slow)):
                times = {parallel: min(update(work, f"{to}-{parallel}-{turn}", to, parallel) for turn in range(2)) for parallel in (1, 2, 4)}
                for parallel in (2, 4):
                    print(json.dumps({"name": f"first update of {COMPONENTS} components, {line}, {parallel} at a time", "ours": times[parallel], "peer": times[1],
                                      "peer_name": "one at a time", "unit": "s", "better": "lower", "goal": "<= 0.9 of one at a time" if parallel == 2 else "-",
                                      "goal_ratio": 0.9 if parallel == 2 else None}))
        finally:
            nginx.terminate()
            nginx.wait(timeout=30)


main()
