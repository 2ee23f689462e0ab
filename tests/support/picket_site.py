"""A site on this machine, for tests and benchmarks: a publisher, agents and web servers, each in a folder of its own and on free ports.

On sys.path by picket_script_test and installer/bench."""
import contextlib
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
SOURCE = pathlib.Path(os.environ["PICKET_SOURCE"])
SERIES = pathlib.Path(os.environ.get("PICKET_SERIES", SOURCE.parent / "shared" / "data"))  # real databases, where there are any
LIMIT = 90.0  # of every wait


@contextlib.contextmanager
def workplace(name):
    """A folder that is gone afterwards, with what was made read-only in it."""
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"picket-{name}-"))
    try:
        yield work
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(work)], check=False)
        shutil.rmtree(work, ignore_errors=True)


def run(*command, status=0):
    """Ends with this status (None: any); what it wrote is in stdout and stderr."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * LIMIT)
    assert status is None or done.returncode == status, f"{command} ended with {done.returncode}, not {status}: {done.stdout}{done.stderr}"
    return done


def wait_for(what, condition, why=lambda: ""):
    until = time.monotonic() + LIMIT
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited in vain for {what}: {why()}"
        time.sleep(0.02)


_held = []  # sockets, until this program ends


def free_port():
    """A port of loopback that nobody else is given: it stays bound here, without listening. The server it is for listens there all the same, with
    SO_REUSEADDR as servers do; before that, who connects is refused."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return held.getsockname()[1]


class Running:
    """A program that was started; what it says is in the file `out` of its folder. Leaving a `with` ends it, and shows that when something failed."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder, self.process = folder, None

    def launch(self, *command, **more):
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **more)

    def wait_for_port(self, port):
        def listens():
            assert self.process.poll() is None, f"it ended: {self.log()}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for(f"port {port}", listens, self.log)

    def log(self):
        return "".join(path.read_text(errors="replace")[-6000:] for path in (self.folder / "out", self.folder / "log") if path.exists())

    def end(self, by=signal.SIGTERM):
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(by)
        status = process.wait(LIMIT)
        assert by == signal.SIGKILL or status == 0, f"it ended with {status}: {self.log()}"

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure is not None:
            print(f"{self.folder.name} said:\n{self.log()}", file=sys.stderr)
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Publisher:
    """A repository that picket-repo makes: `repository` is what agents get to see."""

    def __init__(self, folder):
        self.folder, self.repository = folder, folder / "repository"
        self.root = self.repository / "metadata" / "1.root.json"
        self.do("init")

    def do(self, command, *words):
        return run(BIN / "picket-repo", command, "--repo", self.folder, *words).stdout

    def add(self, component, release, content, *more):
        return self.do("add", "--component", component, "--release", release, *more, content)

    def publish(self):
        self.do("sign")
        self.do("publish")

    def publish_text(self, component, release, text):
        """A release of one small file."""
        content = self.folder.parent / f"{component}-{release}"
        content.mkdir()
        (content / "a.txt").write_text(text)
        self.add(component, release, content)
        self.publish()


class Nginx(Running):
    """`servers`: the inside of each server block; its port is in `ports`, with TLS where it names a certificate. `http`: for all. `log`: the format
    of a line that `lines` splits, with the address that was asked for."""

    def __init__(self, folder, *servers, http="", events="", log=None):
        super().__init__(folder)
        *self.ports, self.marker_port = [free_port() for _ in (*servers, "markers")]
        self.markers = 0
        access = f"log_format test '{log}'; access_log {folder}/access.log test;" if log else "access_log off;"
        places = " ".join(f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        blocks = "".join(f"server {{ listen 127.0.0.1:{port}{' ssl' if 'ssl_certificate' in inside else ''}; {inside} }}\n" for port, inside in zip(self.ports, servers))
        if log:
            blocks += f"server {{ listen 127.0.0.1:{self.marker_port}; return 204; }}\n"
        # Its workers would be another user, who may not read what a test made.
        (folder / "nginx.conf").write_text(f"user root; daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log; events {{ {events} }}\nhttp {{ {access} {places}\n{http}\n{blocks}}}\n")
        self.launch(shutil.which("nginx") or "/usr/sbin/nginx", "-e", folder / "log", "-p", folder, "-c", folder / "nginx.conf")
        for port in self.ports:
            self.wait_for_port(port)

    def lines(self):
        """Of all requests that were answered so far. nginx writes a line after the client has its answer, but before it reads the next request: ours."""
        self.markers += 1
        marker = f"/marker-{self.markers}-of-lines"
        with socket.create_connection(("127.0.0.1", self.marker_port), LIMIT) as asking:
            asking.sendall(f"GET {marker} HTTP/1.0\r\n\r\n".encode())
            asking.recv(1024)
        place = self.folder / "access.log"
        wait_for("nginx's log", lambda: marker in place.read_text(), self.log)
        return [line.split() for line in place.read_text().splitlines() if "-of-lines" not in line]

    @staticmethod
    def skip_without():
        if shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            print("skipped: nginx is not installed")
            sys.exit(77)


def folder_source(place, name="folder"):
    return {"name": name, "plugin": "org.picket.source-folder", "location": str(place)}


def web_source(port, name="web"):
    return {"name": name, "plugin": "org.picket.source-http", "location": f"http://127.0.0.1:{port}/"}


class Agent(Running):
    """A picketd. `options`: of its picketd.conf; a list stands for several lines, None for no line. `plugins`: the only ones of this build that it has."""

    def __init__(self, folder, publisher=None, options=None, plugins=None, launcher=()):
        super().__init__(folder)
        (folder / "settings").mkdir()
        self.socket = folder / "run" / "picketd.sock"
        self.plugins = folder / "plugins"
        lines = {"data-dir": folder / "data", "run-dir": folder / "run", "plugin-dir": BUILD / "plugins" if plugins is None else self.plugins, "plugin-keys": BUILD / "devkey",
                 "policy-keys": folder / "none", "settings-dir": folder / "settings", "update-root": publisher and publisher.root, "device": folder.name, **(options or {})}
        for plugin in plugins or ():
            self.add_plugin(plugin)
        config = folder / "picketd.conf"
        config.write_text("".join(f"{name} = {one}\n" for name, value in lines.items() if value is not None for one in (value if isinstance(value, list) else [value])))
        self.command = [*launcher, BIN / "picketd", "--config", config]

    def add_plugin(self, name):
        shutil.copytree(BUILD / "plugins" / name, self.plugins / name)

    def settings(self, plugin, **settings):
        (self.folder / "settings" / f"{plugin}.json").write_text(json.dumps(settings))

    def update_from(self, *sources, **more):
        """Updates only when told to."""
        self.settings("org.picket.update", **{"interval_minutes": 0, "rest_after_failure_seconds": 0, "sources": sources, **more})

    def make_policy_key(self):
        """In the folder that its policy-keys must name."""
        (self.folder / "keys").mkdir()
        run(BIN / "picket-repo", "key", "gen", "policy", "--keys", self.folder / "keys")

    def apply_policy(self, revision, plugins, status=0):
        document, envelope = self.folder / "policy.json", self.folder / "policy.dsse.json"
        document.write_text(json.dumps({"policy": 1, "revision": revision, "issued": "2026-01-01T00:00:00Z", "expires": "2106-01-01T00:00:00Z", "plugins": plugins}))
        envelope.unlink(missing_ok=True)
        run(BIN / "picket-repo", "dsse", "sign", "--type", "application/vnd.picket.policy+json", "--keys", self.folder / "keys", "--key", "policy", "--out", envelope, document)
        return self.ctl("policy", "apply", envelope, status=status)

    def start(self):
        self.launch(*self.command)

        def answers():
            assert self.process.poll() is None, f"it ended: {self.log()}"
            return all(self.run_ctl(*words, status=None).returncode == 0 for words in (("update", "status"), ("task", "list")))

        wait_for("picketd", answers, self.log)
        return self

    def start_as_service(self):
        """As systemd does it; returns the milliseconds until it says that it is ready."""
        place = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(place))
            notify.settimeout(LIMIT)
            begun = time.monotonic()
            self.launch(*self.command, env={"NOTIFY_SOCKET": str(place), "PATH": "/usr/bin:/bin"})
            while b"READY=1" not in notify.recv(1024):
                pass
            return (time.monotonic() - begun) * 1000

    def run_ctl(self, *words, status=0):
        return run(BIN / "picketctl", "--socket", self.socket, *words, status=status)

    def ctl(self, *words, status=0):
        return self.run_ctl(*words, status=status).stdout

    def json(self, *words, status=0):
        return json.loads(self.ctl(*words, "--json", status=status))["data"]

    def plugin(self, name):
        return next(plugin for plugin in self.json("plugin", "list")["plugins"] if plugin["id"] == name)

    def component(self, name):
        return next(component for component in self.json("update", "status")["components"] if component["component"] == name)

    def current(self, component):
        """The folder of the files that are in force."""
        return (self.folder / "data" / "update" / "sets" / component / "current").resolve()


class Explained:
    """What `update explain` says of the last update."""

    def __init__(self, agent):
        self.steps = agent.json("update", "explain")["steps"]

    def of(self, source, file=""):
        """The decisions about a source, or about a file of it: of those that were read, the name's end."""
        return [step["decision"] for step in self.steps if step["source"] == source and step["file"].endswith(file) and bool(step["file"]) == bool(file)]

    def __str__(self):
        return "\n".join(f"{step['source']} | {step['file']} | {step['decision']}" for step in self.steps)
