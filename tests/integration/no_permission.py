#!/usr/bin/env python3
"""What may not be read or written: a data folder, a source, a repository, a trust root, local settings, plugins, a publisher's folder. One clear
line each, with the path; and what else there is goes on."""
import contextlib
import os
import pathlib
import signal

from picket_site import BIN, LIMIT, Agent, Publisher, folder_source, run, wait_for, workplace

# Root without what lets root in everywhere: as good as another user, and it still reads the build folder.
LAUNCHER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@contextlib.contextmanager
def closed(path, mode=0):
    before = path.stat().st_mode & 0o7777
    path.chmod(mode)
    try:
        yield path
    finally:
        path.chmod(before)


def refused(command, path, status=1, prefix="picketd: "):
    """The program ends, and its last line alone says why."""
    done = run(*LAUNCHER, *command, status=status)
    said = [line for line in done.stderr.splitlines() if line.startswith(prefix)]
    assert len(said) == 1 and done.stderr.splitlines()[-1] == said[0], done.stderr
    assert str(path) in said[0] and said[0].endswith("Permission denied"), said[0]


def only_line(agent, *words):
    found = [line for line in (agent.folder / "out").read_text().splitlines() if all(str(word) in line for word in words)]
    assert len(found) == 1, (words, found, agent.log())


def starting(agent):
    (agent.folder / "data").mkdir()
    with closed(agent.folder / "data") as data:
        refused(agent.command, data / "lock")
    (agent.folder / "data").rmdir()
    with closed(agent.folder, 0o500) as folder:
        refused(agent.command, folder / "data")
    conf = agent.folder / "picketd.conf"
    with closed(conf):
        done = run(*LAUNCHER, *agent.command, status=2)
        assert done.stderr == f"picketd: open {conf}: Permission denied; see picketd --help\n", done.stderr


def failed_update(agent, path):
    shown = agent.json("update", "run", "--force", status=1)
    assert shown["result"] == "failed", shown
    source = next(each for each in agent.json("update", "status")["sources"] if each["name"] == "folder")
    assert source["state"] == "resting" and str(path) in source["text"] and "no permission to read it" in source["text"] and "\n" not in source["text"], source
    assert "no permission to read it" in agent.ctl("doctor", status=None), "doctor names it"


def updating(agent, publisher):
    repository = publisher.repository
    with closed(repository):
        failed_update(agent, repository)
    with closed(repository / "metadata"):
        failed_update(agent, repository / "metadata")
    with closed(repository / "targets"):
        shown = agent.json("update", "run", "--force", status=1)
        assert shown["text"].startswith("rules: no source could give ") and shown["text"].endswith("no permission to read it") and str(repository / "targets") in shown["text"], shown
    assert agent.json("update", "run", "--force")["result"] == "ok", "and once it may be read, all is well"
    assert (agent.current("rules") / "a.txt").read_text() == "a\n"


def reloading(agent):
    settings = agent.folder / "settings" / "org.picket.update.json"
    with closed(settings):
        agent.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: "local values stay as they were" in agent.log(), agent.log)
        only_line(agent, " error ", f"local values stay as they were: open {settings}: Permission denied")
        agent.end()
        agent.start()
        only_line(agent, " warning ", f"local settings of org.picket.update are ignored: open {settings}: Permission denied")
    agent.end()


def check(work):
    publisher = Publisher(work / "publisher")
    publisher.publish_text("rules", 1, "a\n")
    root = work / "root.json"
    root.write_bytes(publisher.root.read_bytes())
    with Agent(work / "agent", options={"update-root": root}, plugins=["org.picket.source-folder"], launcher=LAUNCHER) as agent:
        agent.command = agent.command[len(LAUNCHER):]
        starting(agent)
        agent.command = [*LAUNCHER, *agent.command]
        agent.update_from(folder_source(publisher.repository), components=["rules"], rest_after_failure_seconds=300)
        agent.start()
        with closed(root):
            shown = agent.json("update", "run", status=1)
            assert shown["text"] == f"the initial root of trust: open {root}: Permission denied", shown
        updating(agent, publisher)
        reloading(agent)
        with closed(agent.plugins):
            agent.start()
            only_line(agent, " warning plugin: no plugins from ", agent.plugins, "Permission denied")
            agent.end()

    with closed(publisher.folder):
        refused([BIN / "picket-repo", "publish", "--repo", publisher.folder], publisher.folder, prefix="picket-repo publish: ")


with workplace("no-permission") as work:
    check(work)
