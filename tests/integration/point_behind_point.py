#!/usr/bin/env python3
"""A distribution point that follows another one: what devices ask of the one reaches the other, and a release that the first takes back is taken back for all."""
from picket_site import Agent, Publisher, folder_source, free_port, workplace

BRANCH = {"name": "branch", "plugin": "org.picket.source-distribution-point", "location": "points"}
SOURCES = ["org.picket.source-folder", "org.picket.source-distribution-point"]


def behind(agent, port):
    agent.settings("org.picket.source-distribution-point", device=agent.folder.name, points=[{"url": f"http://127.0.0.1:{port}/"}])


def point(work, name, publisher, source):
    """With the port that it serves at. It downloads when told to, and goes on serving earlier files for an hour."""
    agent, port = Agent(work / name, publisher, plugins=[*SOURCES, "org.picket.distribution-point"]), free_port()
    agent.update_from(source)
    agent.settings("org.picket.distribution-point", enabled=True, name=name, listen=["127.0.0.1"], http_port=port, interval_minutes=0, folder=str(agent.folder / "mirror"), sources=[source["name"]])
    agent.settings("org.picket.tasks", tasks={"fill": {"type": "distribution-point"}})
    return agent, port


def device(work, name, publisher, port):
    agent = Agent(work / name, publisher, plugins=SOURCES)
    agent.update_from(BRANCH, components=["rules"])
    behind(agent, port)
    return agent


def fill(*points):
    for each in points:
        each.ctl("task", "run", "fill")


def brought(agent):
    agent.ctl("update", "run")
    return agent.component("rules")["release"]


with workplace("points") as work:
    publisher = Publisher(work / "publisher")
    publisher.publish_text("rules", 1, "one")
    publisher.publish_text("unwanted", 1, "nothing")
    site = folder_source(publisher.repository)
    first, first_port = point(work, "first", publisher, site)
    second, second_port = point(work, "second", publisher, BRANCH)
    behind(second, first_port)
    early = device(work, "early", publisher, second_port)
    with first.start(), second.start(), early.start():
        early.ctl("update", "run", status=1)          # the second point hears of it,
        second.ctl("task", "run", "fill", status=1)   # and the first, which has nothing yet
        fill(first, second)
        assert brought(early) == 1
        wishes = first.json("point", "status")["wishes"]
        assert [(wish["component"], wish["by"], wish["release"]) for wish in wishes] == [("rules", ["second:point"], 1)], wishes

        publisher.publish_text("rules", 2, "two")
        fill(first, second)
        assert brought(early) == 2
        # Nobody gets it from here on, although the files of earlier sets are still served; who has it keeps it.
        first.end()
        first.update_from(site, declined=[{"component": "rules", "release": 2}])
        first.start()
        fill(first, second)
        late = device(work, "late", publisher, second_port)
        with late.start():
            assert brought(late) == 1, late.ctl("update", "explain")
        assert brought(early) == 2
        publisher.publish_text("rules", 3, "three")
        fill(first, second)
        assert brought(early) == 3
