#!/usr/bin/env python3
"""What an update costs on the wire, headers and metadata included, as nginx counts it: a check that finds nothing new, and one step of one
component in a repository of a hundred that has eight releases of it with their deltas. From an nginx as it comes, which packs nothing, and from one
that packs JSON on the way."""
import contextlib
import hashlib

from picket_site import Agent, Nginx, Publisher, web_source, workplace

COMPONENTS = 100
RELEASES = 8
WANTED = "component-050"
SERVERS = {"plain": "", "packing": "default_type application/json; gzip on; gzip_types application/json; gzip_min_length 200; gzip_comp_level 6;"}


def release(publisher, number, components):
    content = publisher.folder.parent / "content"
    content.mkdir(exist_ok=True)
    for component in components:
        # Hex of hashes: content that does not pack to nothing, so that a delta is worth making.
        lines = [hashlib.sha256(f"{component} {i}".encode()).hexdigest() for i in range(2000)]
        (content / "rules.yar").write_text("\n".join(lines + [f"added in {n}" for n in range(number)]))
        publisher.add(component, number, content, "--level", 1)
    publisher.publish()


def requests(nginx, agent):
    """What nginx logged during an update: (bytes received, bytes sent, status, uri) each."""
    before = len(nginx.lines())
    agent.json("update", "run")
    return [(int(received), int(sent), int(status), uri) for received, sent, status, uri in nginx.lines()[before:]]


def judge(what, seen, limit, most_requests=None, delta_of=None):
    cost = sum(received + sent for received, sent, _, _ in seen)
    targets = [one for one in seen if one[3].startswith("/targets/")]
    if delta_of is not None:
        assert len(targets) == 1 and targets[0][1] <= 2000, f"{what}: that was no delta: {targets}"
        cost -= (delta_of.repository / targets[0][3][1:]).stat().st_size
    print(f"{what}: {cost} bytes in {len(seen)} requests")
    for received, sent, status, uri in seen:
        print(f"  {received:5} received {sent:7} sent  {status} {uri}")
    assert seen and cost <= limit, f"{what}: {cost} bytes, at most {limit}"
    assert most_requests is None or len(seen) <= most_requests, f"{what}: {len(seen)} requests, at most {most_requests}"


def main(work):
    publisher = Publisher(work / "publisher")
    release(publisher, 1, [f"component-{i:03}" for i in range(1, COMPONENTS + 1)])
    with contextlib.ExitStack() as running:
        sites = {}
        for name, http in SERVERS.items():
            nginx = running.enter_context(Nginx(work / f"nginx-{name}", f"root {publisher.repository};", http=http, log="$request_length $bytes_sent $status $uri"))
            agent = running.enter_context(Agent(work / f"agent-{name}", publisher, {"log-level": "warning"}, ["org.picket.source-http"]))
            agent.update_from(web_source(nginx.ports[0]), components=[WANTED])
            agent.settings("org.picket.source-http", allow_http=True, proxy="none")
            agent.start()
            sites[name] = nginx, agent
            requests(nginx, agent)
        for number in range(2, RELEASES):  # as a repository looks that has been kept for a while
            release(publisher, number, [WANTED])
        for name, (nginx, agent) in sites.items():
            requests(nginx, agent)
            judge(f"{name} nginx: a check that finds nothing new", requests(nginx, agent), limit=1500, most_requests=2)
        release(publisher, RELEASES, [WANTED])
        for name, (nginx, agent) in sites.items():
            judge(f"{name} nginx: one step of one component of a hundred, without its delta", requests(nginx, agent), limit=8 * 1024, delta_of=publisher)


Nginx.skip_without()
with workplace("wire") as place:
    main(place)
