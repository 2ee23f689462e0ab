#!/usr/bin/env python3
"""The distribution point beside nginx: requests a second (wrk, same files, same number of connections and of server threads), memory of
10,000 idle connections, and 1,000 clients on one point while it publishes a release."""
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ["PICKET_BUILD"])
TOOL = BUILD / "bench" / "point_tool"
SECONDS = int(os.environ.get("PICKET_BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("PICKET_BENCH_ROUNDS", "3"))
CONNECTIONS = 64
IDLE = 10_000
CLIENTS = 1_000


def row(name, ours, unit, better, goal, **more):
    print(json.dumps({"name": name, "ours": ours, "unit": unit, "better": better, "goal": goal, **more}), flush=True)


def end(process):
    if process.stdin:
        process.stdin.close()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tool(*arguments, **more):
    return subprocess.Popen([str(TOOL), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)


def start_nginx(work, served):
    plain, tls = free_port(), free_port()
    (work / "nginx").mkdir()
    (work / "nginx" / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {work}/nginx/pid; error_log {work}/nginx/error.log; user root;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; types {{ }} default_type application/octet-stream;
  open_file_cache max=1000; open_file_cache_valid 1h;
  client_body_temp_path {work}/nginx/a; proxy_temp_path {work}/nginx/b; fastcgi_temp_path {work}/nginx/c; uwsgi_temp_path {work}/nginx/d; scgi_temp_path {work}/nginx/e;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    ssl_certificate {work}/c.pem; ssl_certificate_key {work}/k.pem; ssl_protocols TLSv1.2 TLSv1.3;
    root {served};
  }}
}}""")
    process = subprocess.Popen(["nginx", "-p", str(work / "nginx"), "-c", str(work / "nginx" / "nginx.conf")], stderr=subprocess.DEVNULL)
    for port in (plain, tls):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
    return process, plain, tls


def wrk(scheme, port, file):
    out = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"{scheme}://127.0.0.1:{port}/targets/{file}"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"wrk saw errors: {out}")
    return float(next(line.split()[1] for line in out.splitlines() if line.startswith("Requests/sec")))


def private_memory(pid):
    fields = dict(line.split()[:2] for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return (int(fields["Private_Clean:"]) + int(fields["Private_Dirty:"])) * 1024 / 1e6


def cpu_seconds(pid):
    """Of all threads, children too, to the nanosecond: ticks would miss most of what short turns take."""
    total = sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        total += sum(cpu_seconds(int(child)) * 1e9 for child in children.read_text().split())
    return total / 1e9


def throughput(work):
    served = work / "served"
    (served / "targets").mkdir(parents=True)
    (served / "targets" / "1k").write_bytes(os.urandom(1024))
    (served / "targets" / "1m").write_bytes(os.urandom(1 << 20))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(work / "k.pem"), "-out", str(work / "c.pem"), "-days", "1",
                    "-subj", "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
    nginx, nginx_plain, nginx_tls = start_nginx(work, served)
    point = tool("serve", served, 1, work / "c.pem", work / "k.pem")
    try:
        plain, tls = map(int, point.stdout.readline().split())
        for file, text in (("1k", "1 KiB"), ("1m", "1 MiB")):
            for scheme, ours, peer in (("http", plain, nginx_plain), ("https", tls, nginx_tls)):
                mine, theirs = [], []
                for _ in range(ROUNDS):  # in turn, so that what else the machine does hits both
                    mine.append(wrk(scheme, ours, file))
                    theirs.append(wrk(scheme, peer, file))
                row(f"distribution point, {text}, {'TLS' if scheme == 'https' else 'plain'}", round(statistics.median(mine)), "requests/s", "higher", "0.9 times nginx",
                    peer=round(statistics.median(theirs)), peer_name="nginx", goal_ratio=0.9)
    finally:
        end(nginx)
        end(point)
    for kind in ("plain", "tls"):
        point = tool("serve", served, 2, work / "c.pem", work / "k.pem")
        ports = list(map(int, point.stdout.readline().split()))
        before = private_memory(point.pid)
        idle = tool("idle", ports[kind == "tls"], IDLE, kind)
        try:
            if idle.stdout.readline() != "ready\n":
                sys.exit("the idle connections were not opened")
            after = private_memory(point.pid)
        finally:
            end(idle)
            end(point)
        row(f"distribution point, {IDLE} idle connections, {kind}", round(after, 1), "MB", "lower", "under 200 MB", goal_value=200, before=round(before, 1))


def repo(work, *arguments):
    subprocess.run([str(BUILD / "bin" / "picket-repo"), *map(str, arguments), "--repo", str(work / "publisher")], check=True, stdout=subprocess.DEVNULL)


def release(work, number):
    content = work / f"content{number}"
    content.mkdir()
    (content / "data").write_bytes(os.urandom(1 << 20))
    repo(work, "add", "--component", "db", "--variant", "full", "--release", number, content)
    repo(work, "sign")
    repo(work, "publish")


def download(work):
    out = subprocess.run([str(TOOL), "download", str(work / "run" / "picketd.sock")], check=True, capture_output=True, text=True).stdout.split()
    if out[0] != "ok":
        sys.exit(f"the download is {out}")
    return int(out[1]), int(out[2])


def publish_to_clients(work):
    repo(work, "init")
    release(work, 1)
    port = free_port()
    for part in ("settings", "plugins", "policy"):
        (work / part).mkdir()
    for plugin in ("org.picket.source-folder", "org.picket.distribution-point"):
        shutil.copytree(BUILD / "plugins" / plugin, work / "plugins" / plugin)
    (work / "settings" / "org.picket.update.json").write_text(json.dumps(
        {"interval_minutes": 0, "sources": [{"name": "vendor", "plugin": "org.picket.source-folder", "location": str(work / "publisher" / "repository")}]}))
    (work / "settings" / "org.picket.distribution-point.json").write_text(json.dumps(
        {"enabled": True, "listen": ["127.0.0.1"], "http_port": port, "interval_minutes": 0, "folder": str(work / "mirror"), "components": [{"component": "db"}],
         "max_connections_per_address": 10000}))
    (work / "picketd.conf").write_text(
        f"data-dir = {work}/data\nrun-dir = {work}/run\nplugin-dir = {work}/plugins\nplugin-keys = {BUILD}/devkey\npolicy-keys = {work}/policy\nsettings-dir = {work}/settings\n"
        f"update-root = {work}/publisher/repository/metadata/1.root.json\nlog-level = warning\nin-process = org.picket.source-folder\nin-process = org.picket.distribution-point\n")
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(work / "notify"))
    notify.settimeout(30)
    picketd = subprocess.Popen([str(BUILD / "bin" / "picketd"), "--config", str(work / "picketd.conf")], env={"NOTIFY_SOCKET": str(work / "notify"), "PATH": "/usr/bin:/bin"})
    clients = None
    try:
        while b"READY=1" not in notify.recv(1024):
            pass
        first_files, _ = download(work)
        clients = tool("clients", f"http://127.0.0.1:{port}/", CLIENTS, 1000, 2)
        if clients.stdout.readline() != "ready\n":
            sys.exit("the clients did not get the first release")
        release(work, 2)
        cpu, begun = cpu_seconds(picketd.pid), time.clock_gettime(time.CLOCK_MONOTONIC)
        files, fetched = download(work)
        published = time.clock_gettime(time.CLOCK_MONOTONIC)
        ended, sent, failures = clients.stdout.readline().split()
        used = cpu_seconds(picketd.pid) - cpu
        if (first_files, files) != (1, 1):
            sys.exit(f"files fetched from upstream: {first_files}, {files}: each once is 1, 1")
        size = next((work / "publisher" / "repository" / "targets" / "db" / "full").glob("*.2.tar.zst")).stat().st_size
        row(f"{CLIENTS} clients, one publish: bytes from upstream to the file's own", round(fetched / size, 4), "ratio", "lower", "each file once, and metadata", goal_value=1.1)
        row(f"{CLIENTS} clients, one publish: from publishing until all are current", round(float(ended) - published, 2), "s", "lower", "clients poll each second; reported")
        row(f"{CLIENTS} clients, one publish: download itself", round(published - begun, 3), "s", "lower", "reported")
        row(f"{CLIENTS} clients, one publish: server CPU", round(used, 2), "s", "lower", "reported", sent_mb=round(int(sent) / 1e6))
        row(f"{CLIENTS} clients, one publish: requests that failed", int(failures), "requests", "lower", "none", goal_value=0)
        row(f"{CLIENTS} clients, one publish: peak memory of the point", round(peak(picketd.pid), 1), "MB", "lower", "reported")
    finally:
        if clients:
            end(clients)
        end(picketd)


def peak(pid):
    return int(next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))) * 1024 / 1e6


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        for part, run in (("throughput", throughput), ("clients", publish_to_clients)):
            if not only or part in only:
                run(work)


main()
