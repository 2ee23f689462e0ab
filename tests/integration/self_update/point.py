#!/usr/bin/env python3
"""A distribution point gets new versions while clients download from it."""
import hashlib
import http.client
import json
import os
import signal
import time

import picket_site
from clients import Clients, answer_to, fresh, kept
from picket_site import BUILD, LIMIT, free_port, wait_for
from publishing import RULES, Agent, Publisher, run


def answers(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def point(work):
    point_id = "org.picket.distribution-point"
    publisher = Publisher(work)
    publisher.publish("yara-rules", 1, RULES, "databases")
    big = work / "big"
    big.mkdir()
    (big / "data").write_bytes(os.urandom(3_000_000))
    publisher.publish("big", 1, big, "databases")
    version = next((BUILD / "plugins" / point_id).iterdir())
    manifest = json.loads((version / "plugin.json").read_text())
    library = work / "point.so"
    run("strip", "-o", library, version / manifest["file"])
    agent = Agent(work, publisher, "plugin-component = picket-plugins\nin-process = org.picket.source-folder\n")
    agent.add_plugin(point_id)
    port = free_port()
    mirror = agent.home / "mirror"
    (agent.home / "settings" / f"{point_id}.json").write_text(json.dumps({
        "enabled": True, "listen": ["127.0.0.1"], "http_port": port, "folder": str(mirror), "start_delay_seconds": 1, "free_space_warning_mb": 0,
        "components": [{"component": "yara-rules"}, {"component": "big"}]}))
    agent.start()
    clients = None
    try:
        # Not only published: served, which it is a moment later.
        wait_for("the first set", lambda: answers(port, "/metadata/timestamp.json"), agent.log)
        target = max((mirror / "public").rglob("targets/big/**/*"), key=lambda path: path.stat().st_size if path.is_file() else -1)
        path, digest = "/" + str(target.relative_to(mirror / "public")), hashlib.sha256(target.read_bytes()).hexdigest()

        def connect():
            return http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)

        def timestamp(connection):
            json.loads(answer_to(connection, "GET", "/metadata/timestamp.json").read())

        def slow(connection):
            answer, found = answer_to(connection, "GET", path), hashlib.sha256()
            while part := answer.read(65536):
                found.update(part)
                time.sleep(0.02)
            assert found.hexdigest() == digest, "not the bytes that were asked for"

        def start_clients():
            return Clients(fresh=fresh(connect, timestamp), kept=kept(connect, timestamp), slow=fresh(connect, slow))

        clients = start_clients()
        clients.more()

        def told(text):
            return (agent.home / "out").read_text().count(text)

        def exchanged(to, by):
            was, downloads, stops = agent.plugin(point_id), told("download: ok"), told("the version before has stopped")
            by()
            now = agent.plugin(point_id)
            assert now["version"] == to and now["state"] == "running" and now["health"] == "healthy" and now["pid"] != was["pid"], (now, agent.log())
            wait_for("the word that it has the ports and the folder", lambda: told("the version before has stopped") == stops + 1, agent.log)
            wait_for("a download of its own", lambda: told("download: ok") > downloads, agent.log)
            clients.more()
            assert not clients.failed, f"{clients.failed}\n{agent.log()}"

        for release in (1, 2):
            content = work / f"set{release}"
            publisher.package(content, {**manifest, "version": f"9.{release}.0"}, library)
            publisher.publish("picket-plugins", release, content)
            exchanged(f"9.{release}.0", lambda: agent.ctl("update", "run", "--force"))
        exchanged("9.1.0", lambda: agent.ctl("update", "rollback", "picket-plugins"))
        print(f"a distribution point was exchanged three times; requests meanwhile, none failed: {clients.count}")
        clients.end()

        # One that was killed comes back on the same port.
        was = agent.plugin(point_id)
        os.kill(was["pid"], signal.SIGKILL)
        wait_for("another process", lambda: agent.plugin(point_id)["pid"] not in (0, was["pid"]) and agent.plugin(point_id)["state"] == "running", agent.log)
        clients = start_clients()
        clients.more()
        assert not clients.failed, clients.failed
    finally:
        if clients is not None:
            clients.end()
        agent.end()


with picket_site.workplace("self") as work:
    point(work)
