#!/usr/bin/env python3
"""Real rules in three releases, published with picket-repo; a real picketd brings them by delta, from a folder and from nginx."""
import contextlib
import json

from picket_site import Agent, Nginx, Publisher, SOURCE, folder_source, web_source, workplace

DATA = SOURCE / "tests" / "data" / "yara-rules"


def publish(publisher, release):
    said = publisher.add("rules", release, DATA / f"r{release}")
    publisher.publish()
    return said


def deltas(publisher):
    return {(delta["base"], delta["release"]): delta for delta in json.loads(publisher.do("show", "--json"))["deltas"]}


def sent(nginx):
    """Bytes of bodies below targets/, by name."""
    out = {}
    for uri, size in nginx.lines():
        if "/targets/" in uri:
            name = uri.rsplit("/", 1)[1]
            out[name] = out.get(name, 0) + int(size)
    return out


def update(agent):
    agent.ctl("update", "run", "--force")
    return agent.ctl("update", "explain", "--json")


def has(agent, release):
    def files(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return files(agent.current("rules")) == files(DATA / f"r{release}")


def main(work, started):
    publisher = Publisher(work / "publisher")
    publish(publisher, 1)
    nginx = started.enter_context(Nginx(work / "nginx", f"root {publisher.repository};", log="$request_uri $body_bytes_sent"))
    agents = []
    for name, source in (("pc-folder", folder_source(publisher.repository)), ("pc-http", web_source(nginx.ports[0]))):
        agent = started.enter_context(Agent(work / name, publisher, {"in-process": ["org.picket.source-folder", "org.picket.source-http"], "disabled": "org.picket.scanner"}))
        agent.update_from(source, components=["rules"])
        agents.append(agent.start())
    for agent in agents:
        update(agent)
        assert has(agent, 1)
    before = sent(nginx)

    said = publish(publisher, 2)
    assert "Delta from release 1" in said, said
    length = deltas(publisher)[(1, 2)]["length"]
    for agent in agents:
        explained = update(agent)
        assert has(agent, 2)
        assert "road: the delta from release 1" in explained and "verified as a whole" in explained, explained
    news = {name: size for name, size in sent(nginx).items() if before.get(name) != size}
    assert list(news.values()) == [length], f"expected the {length} bytes of the delta and nothing else: {news}"
    files = publisher.repository / "targets" / "rules" / "full"
    print(f"release 1 to 2: {length} bytes instead of {next(files.glob('*.2.tar.zst')).stat().st_size}")

    # A delta that was damaged where it lies: the full file, and nothing is lost.
    publish(publisher, 3)
    assert set(deltas(publisher)) == {(1, 2), (1, 3), (2, 3)}, deltas(publisher)
    damaged = next(files.glob("*.3.from-2.delta"))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    for agent in agents:
        explained = update(agent)
        assert has(agent, 3), explained
        assert "by deltas it failed: " in explained and "the full file is fetched" in explained, explained
    assert any(name.endswith(".3.tar.zst") for name in sent(nginx)), sent(nginx)
    print("a damaged delta: the full file")
    for one in (*agents, nginx):
        one.end()


Nginx.skip_without()
with workplace("delta") as place, contextlib.ExitStack() as running:
    main(place, running)
