#!/usr/bin/env python3
"""The distribution point beside nginx: requests a second (wrk, same files, same number of connections and of server threads), memory of
10,000 idle connections, and 1,000 clients on one point while it publishes a release."""
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import time

from bench_report import row
from picket_site import BUILD, Agent, Nginx, Publisher, folder_source, free_port, workplace

TOOL = BUILD / "bench" / "point_tool"
SECONDS = int(os.environ.get("PICKET_BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("PICKET_BENCH_ROUNDS", "3"))
CONNECTIONS = 64
IDLE = 10_000
CLIENTS = 1_000


def end(process):
    if process.stdin:
        process.stdin.close()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tool(*arguments, **more):
    return subprocess.Popen([str(TOOL), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)


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
    serves = f"root {served};"
    nginx = Nginx(work / "nginx", serves, f"{serves} ssl_certificate {work}/c.pem; ssl_certificate_key {work}/k.pem; ssl_protocols TLSv1.2 TLSv1.3;", events="worker_connections 4096;",
                  http="sendfile on; tcp_nopush on; keepalive_requests 100000000; types { } default_type application/octet-stream; open_file_cache max=1000; open_file_cache_valid 1h;")
    nginx_plain, nginx_tls = nginx.ports
    point = tool("serve", served, 1, work / "c.pem", work / "k.pem")
    with nginx:
        try:
            plain, tls = map(int, point.stdout.readline().split())
            for file, text in (("1k", "1 KiB"), ("1m", "1 MiB")):
                for scheme, ours, peer in (("http", plain, nginx_plain), ("https", tls, nginx_tls)):
                    mine, theirs = [], []
                    for _ in range(ROUNDS):  # in turn, so that what else the machine does hits both
                        mine.append(wrk(scheme, ours, file))
                        theirs.append(wrk(scheme, peer, file))
                    row(f"distribution point, {text}, {'TLS' if scheme == 'https' else 'plain'}", statistics.median(mine), "requests/s", "higher", "0.9 times nginx",
                        peer=statistics.median(theirs), peer_name="nginx", goal_ratio=0.9)
        finally:
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
        row(f"distribution point, {IDLE} idle connections, {kind}", after, "MB", "lower", "under 200 MB", goal_value=200, before=round(before, 1))


def release(publisher, number):
    content = publisher.folder.parent / f"content{number}"
    content.mkdir()
    (content / "data").write_bytes(os.urandom(1 << 20))
    publisher.add("db", number, content, "--variant", "full")
    publisher.publish()


def download(agent):
    out = subprocess.run([str(TOOL), "download", str(agent.socket)], check=True, capture_output=True, text=True).stdout.split()
    if out[0] != "ok":
        sys.exit(f"the download is {out}")
    return int(out[1]), int(out[2])


def publish_to_clients(work):
    publisher = Publisher(work / "publisher")
    release(publisher, 1)
    port = free_port()
    plugins = ["org.picket.source-folder", "org.picket.distribution-point"]
    agent = Agent(work / "agent", publisher, {"log-level": "warning", "in-process": plugins}, plugins)
    agent.update_from(folder_source(publisher.repository, "vendor"))
    agent.settings("org.picket.distribution-point", enabled=True, listen=["127.0.0.1"], http_port=port, interval_minutes=0, folder=str(work / "mirror"), components=[{"component": "db"}],
                   max_connections_per_address=10000)
    clients = None
    with agent:
        try:
            agent.start_as_service()
            picketd = agent.process
            first_files, _ = download(agent)
            clients = tool("clients", f"http://127.0.0.1:{port}/", CLIENTS, 1000, 2)
            if clients.stdout.readline() != "ready\n":
                sys.exit("the clients did not get the first release")
            release(publisher, 2)
            cpu, begun = cpu_seconds(picketd.pid), time.clock_gettime(time.CLOCK_MONOTONIC)
            files, fetched = download(agent)
            published = time.clock_gettime(time.CLOCK_MONOTONIC)
            ended, sent, failures = clients.stdout.readline().split()
            used = cpu_seconds(picketd.pid) - cpu
            if (first_files, files) != (1, 1):
                sys.exit(f"files fetched from upstream: {first_files}, {files}: each once is 1, 1")
            size = next((publisher.repository / "targets" / "db" / "full").glob("*.2.tar.zst")).stat().st_size
            row(f"{CLIENTS} clients, one publish: bytes from upstream to the file's own", fetched / size, "ratio", "lower", "each file once, and metadata", goal_value=1.1)
            row(f"{CLIENTS} clients, one publish: from publishing until all are current", round(float(ended) - published, 2), "s", "lower", "clients poll each second; reported")
            row(f"{CLIENTS} clients, one publish: download itself", round(published - begun, 3), "s", "lower", "reported")
            row(f"{CLIENTS} clients, one publish: server CPU", round(used, 2), "s", "lower", "reported", sent_mb=round(int(sent) / 1e6))
            row(f"{CLIENTS} clients, one publish: requests that failed", int(failures), "requests", "lower", "none", goal_value=0)
            row(f"{CLIENTS} clients, one publish: peak memory of the point", round(peak(picketd.pid), 1), "MB", "lower", "reported")
        finally:
            if clients:
                end(clients)


def peak(pid):
    return int(next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))) * 1024 / 1e6


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    only = sys.argv[1:]
    with workplace("point") as work:
        for part, run in (("throughput", throughput), ("clients", publish_to_clients)):
            if not only or part in only:
                run(work)


main()
