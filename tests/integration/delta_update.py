#!/usr/bin/env python3
"""Real rules in three releases, published with picket-repo; a real picketd brings them by delta, from a folder and from nginx."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ["PICKET_BIN"])
BUILD = pathlib.Path(os.environ["PICKET_BUILD"])
DATA = pathlib.Path(os.environ["PICKET_SOURCE"]) / "tests" / "data" / "yara-rules"
LIMIT = 60.0  # of every wait


def run(*command, status=0):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == status, f"{command} ended with {done.returncode}, not {status}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_for(what, condition):
    until = time.monotonic() + LIMIT
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.05)


class Publisher:
    def __init__(self, work):
        self.folder = work / "publisher"
        self.repository = self.folder / "repository"
        run(BIN / "picket-repo", "init", "--repo", self.folder)

    def publish(self, release):
        said = run(BIN / "picket-repo", "add", "--repo", self.folder, "--component", "rules", "--release", release, DATA / f"r{release}")
        run(BIN / "picket-repo", "sign", "--repo", self.folder)
        run(BIN / "picket-repo", "publish", "--repo", self.folder)
        return said

    def deltas(self):
        shown = json.loads(run(BIN / "picket-repo", "show", "--repo", self.folder, "--json"))
        return {(delta["base"], delta["release"]): delta for delta in shown["deltas"]}

    def file_of(self, base, release):
        return next((self.repository / "targets" / "rules" / "full").glob(f"*.{release}.from-{base}.delta"))


class Nginx:
    def __init__(self, work, root):
        self.work = work / "nginx"
        self.work.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.work / "nginx.conf").write_text(
            f"daemon off; pid {self.work}/pid; error_log {self.work}/error.log; events {{}}\n"
            f"http {{ log_format sent '$request_uri $body_bytes_sent'; access_log {self.work}/access.log sent;\n"
            f"client_body_temp_path {self.work}/b; proxy_temp_path {self.work}/p; fastcgi_temp_path {self.work}/f; uwsgi_temp_path {self.work}/u; scgi_temp_path {self.work}/s;\n"
            f"server {{ listen 127.0.0.1:{self.port}; root {root}; }} }}\n")
        self.process = subprocess.Popen(["nginx", "-p", str(self.work), "-c", str(self.work / "nginx.conf")], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            assert self.process.poll() is None, (self.work / "error.log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("nginx", answers)

    def sent(self):
        """Bytes of bodies below targets/, by name."""
        out = {}
        for line in (self.work / "access.log").read_text().splitlines():
            uri, size = line.split()
            if "/targets/" in uri:
                out[uri.rsplit("/", 1)[1]] = out.get(uri.rsplit("/", 1)[1], 0) + int(size)
        return out

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)


class Agent:
    def __init__(self, work, name, publisher, source):
        self.home = work / name
        (self.home / "settings").mkdir(parents=True)
        self.socket = self.home / "run" / "picketd.sock"
        source = {"name": "source", **source}
        (self.home / "settings" / "org.picket.update.json").write_text(json.dumps({"interval_minutes": 0, "components": ["rules"], "rest_after_failure_seconds": 0, "sources": [source]}))
        config = self.home / "picketd.conf"
        config.write_text(
            f"data-dir = {self.home}/data\nrun-dir = {self.home}/run\nplugin-dir = {BUILD}/plugins\nplugin-keys = {BUILD}/devkey\npolicy-keys = {self.home}/none\n"
            f"settings-dir = {self.home}/settings\nupdate-root = {publisher.repository}/metadata/1.root.json\nin-process = org.picket.source-folder\n"
            f"in-process = org.picket.source-http\ndisabled = org.picket.scanner\ndevice = {name}\nlog-file = {self.home}/log\n")
        self.daemon = subprocess.Popen([str(BIN / "picketd"), "--config", str(config)], stdin=subprocess.DEVNULL, stdout=open(self.home / "out", "ab"), stderr=subprocess.STDOUT)

        def answers():
            assert self.daemon.poll() is None, f"picketd ended: {(self.home / 'out').read_text()}"
            return subprocess.run([str(BIN / "picketctl"), "--socket", str(self.socket), "update", "status"], capture_output=True, timeout=LIMIT).returncode == 0

        wait_for("picketd", answers)

    def ctl(self, *words):
        return run(BIN / "picketctl", "--socket", self.socket, *words)

    def update(self):
        self.ctl("update", "run", "--force")
        return self.ctl("update", "explain", "--json")

    def has(self, release):
        current = (self.home / "data" / "update" / "sets" / "rules" / "current").resolve()
        wanted = {path.relative_to(DATA / f"r{release}"): path.read_bytes() for path in (DATA / f"r{release}").rglob("*") if path.is_file()}
        return wanted == {path.relative_to(current): path.read_bytes() for path in current.rglob("*") if path.is_file()}

    def end(self):
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(LIMIT) == 0, "picketd ended badly"


def main():
    if shutil.which("nginx") is None:
        print("skipped: nginx is not installed")
        sys.exit(77)
    work = pathlib.Path(tempfile.mkdtemp(prefix="picket-delta-"))
    work.chmod(0o755)  # nginx may serve as another user
    started = []
    try:
        publisher = Publisher(work)
        publisher.publish(1)
        nginx = Nginx(work, publisher.repository)
        started.append(nginx)
        by_folder = Agent(work, "pc-folder", publisher, {"plugin": "org.picket.source-folder", "location": str(publisher.repository)})
        started.append(by_folder)
        by_http = Agent(work, "pc-http", publisher, {"plugin": "org.picket.source-http", "location": f"http://127.0.0.1:{nginx.port}/"})
        started.append(by_http)
        for agent in (by_folder, by_http):
            agent.update()
            assert agent.has(1), (agent.home / "log").read_text()
        before = nginx.sent()

        said = publisher.publish(2)
        assert "Delta from release 1" in said, said
        length = publisher.deltas()[(1, 2)]["length"]
        for agent in (by_folder, by_http):
            explained = agent.update()
            assert agent.has(2)
            assert "road: the delta from release 1" in explained and "verified as a whole" in explained, explained
        news = {name: size for name, size in nginx.sent().items() if before.get(name) != size}
        assert list(news.values()) == [length], f"expected the {length} bytes of the delta and nothing else: {news}"
        full = next(name for name in os.listdir(publisher.repository / "targets" / "rules" / "full") if name.endswith(".2.tar.zst"))
        print(f"release 1 to 2: {length} bytes instead of {(publisher.repository / 'targets' / 'rules' / 'full' / full).stat().st_size}")

        # A delta that was damaged where it lies: the full file, and nothing is lost.
        publisher.publish(3)
        assert set(publisher.deltas()) == {(1, 2), (1, 3), (2, 3)}, publisher.deltas()
        damaged = publisher.file_of(2, 3)
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 0xFF
        damaged.write_bytes(content)
        for agent in (by_folder, by_http):
            explained = agent.update()
            assert agent.has(3), explained
            assert "by deltas it failed: " in explained and "the full file is fetched" in explained, explained
        assert any(name.endswith(".3.tar.zst") for name in nginx.sent()), nginx.sent()
        print("a damaged delta: the full file")
        while started:
            started.pop().end()
        shutil.rmtree(work, ignore_errors=True)
    finally:
        for one in started:
            try:
                one.end()
            except Exception as error:  # the first failure is what matters
                print(f"and: {error}")


main()
