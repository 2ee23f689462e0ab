#!/usr/bin/env python3
"""A first update of twenty components from nginx, one at a time against several (parallel_downloads), on two kinds of line: one with
a delay of 60 ms in front of each request, and one where a connection gets 2 MB/s. A fresh picketd each time, all in one run."""
import hashlib
import socket
import threading
import time

from bench_report import row
from picket_site import Agent, Nginx, Publisher, web_source, workplace

COMPONENTS, BYTES, DELAY, RATE = 20, 400_000, 0.06, "2m"


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
    publisher, content = Publisher(work / "publisher"), work / "content"
    content.mkdir()
    for number in range(COMPONENTS):
        noise = b"".join(hashlib.sha256(f"{number} {i}".encode()).digest() for i in range(BYTES // 32))
        (content / "data").write_bytes(noise)
        publisher.add(f"component-{number:02}", 1, content, "--level", 1)
    publisher.publish()
    return publisher


def update(folder, publisher, port, parallel):
    with Agent(folder, publisher, {"log-level": "warning"}, ["org.picket.source-http"]) as agent:
        agent.update_from(web_source(port), parallel_downloads=parallel, components=[f"component-{number:02}" for number in range(COMPONENTS)])
        agent.settings("org.picket.source-http", allow_http=True, proxy="none")
        agent.start()
        began = time.monotonic()
        result = agent.json("update", "run")
        took = time.monotonic() - began
        came = sum(component["result"] == "updated" for component in result["components"])
        assert came == COMPONENTS, result
        return took


def main(work):
    publisher = publish(work)
    with Nginx(work / "nginx", f"root {publisher.repository};", f"root {publisher.repository}; limit_rate {RATE};") as nginx:
        near, slow = nginx.ports
        for line, to in ((f"{DELAY * 1000:.0f} ms before each request", FarAway(near).port), ("2 MB/s for each connection", slow)):
            times = {parallel: min(update(work / f"{to}-{parallel}-{turn}", publisher, to, parallel) for turn in range(2)) for parallel in (1, 2, 4)}
            for parallel in (2, 4):
                judged = {"goal_ratio": 0.9} if parallel == 2 else {}
                row(f"first update of {COMPONENTS} components, {line}, {parallel} at a time", times[parallel], "s", "lower", "<= 0.9 of one at a time" if judged else "-",
                    peer=times[1], peer_name="one at a time", **judged)


with workplace("parallel") as place:
    main(place)
