#!/usr/bin/env python3
"""Local settings that a real picketd cannot take, at its start and on SIGHUP: one clear line in the log, the same in `status`, `policy show` and
`doctor`, what was in force stays, and no secret stands anywhere."""
import signal

from picket_site import Agent, Publisher, folder_source, wait_for, workplace

SECRET = "hunter2-4711"


def write(agent, text):
    (agent.folder / "settings" / "org.picket.update.json").write_text(text)


def lines(agent, *words):
    return [line for line in (agent.folder / "out").read_text().splitlines() if all(word in line for word in words)]


def reload(agent):
    """Returns the one line that the log gained about it."""
    before = len(lines(agent, " policy: local "))
    agent.process.send_signal(signal.SIGHUP)
    wait_for("a line about the reload", lambda: len(lines(agent, " policy: local ")) > before, agent.log)
    fresh = lines(agent, " policy: local ")[before:]
    assert len(fresh) == 1, fresh
    return fresh[0]


def is_told(agent, *words):
    """`status`, `policy show` and `doctor` say it, too."""
    for command in (("status",), ("policy", "show"), ("doctor",)):
        shown = agent.run_ctl(*command, status=None).stdout
        assert all(word in " ".join(shown.split()) for word in words), (command, words, shown)


def check(work):
    publisher = Publisher(work / "publisher")
    publisher.publish_text("rules", 1, "a\n")
    with Agent(work / "agent", publisher, plugins=["org.picket.source-folder"]) as agent:
        good = folder_source(publisher.repository)
        agent.update_from(good, components=["rules"])
        agent.start()
        assert not lines(agent, "warning", " policy: local"), agent.log()

        write(agent, '{"keep_sets": 0}')
        line = reload(agent)
        assert " error " in line and 'local values stay as they were: org.picket.update: setting keep_sets: 0 breaks the rule "minimum": 1' in line, line
        is_told(agent, "last reload, ", "setting keep_sets: 0 breaks the rule")
        assert agent.json("policy", "explain", "org.picket.update", "interval_minutes")["settings"][0]["value_json"] == 0, "what was in force stays"
        assert "rules" in agent.ctl("update", "run")

        write(agent, "{")
        assert "org.picket.update.json: not acceptable JSON at line 1" in reload(agent)
        is_told(agent, "not acceptable JSON")

        # What is secret is said nowhere: below options, in the address of a proxy, in a whole source that is of the wrong kind.
        for bad in (f'{{"sources": [{{"name": "a", "plugin": "p", "location": "x", "options": "{SECRET}"}}]}}',
                    f'{{"sources": [{{"name": "a", "plugin": "p", "location": 1, "options": {{"password": "{SECRET}"}}}}]}}',
                    f'{{"sources": {{"password": "{SECRET}", "location": "ftp://me:{SECRET}@host/"}}}}'):
            write(agent, bad)
            assert "breaks the rule" in reload(agent)
            is_told(agent, "breaks the rule")
        agent.end()

        # A start with it: the file is left out, loudly, and the agent runs.
        agent.start()
        assert len(lines(agent, " warning policy: local settings of org.picket.update are ignored: ", "breaks the rule")) == 1, agent.log()
        is_told(agent, "local settings of org.picket.update are ignored")
        everything = agent.log() + "".join(agent.run_ctl(*command, status=None).stdout for command in (("status",), ("policy", "show"), ("doctor",)))
        assert SECRET not in everything, everything
        for path in (agent.folder / "data").rglob("*"):
            assert not path.is_file() or SECRET.encode() not in path.read_bytes(), f"{path} keeps a secret"

        agent.update_from(good, components=["rules"])
        assert " info " in reload(agent)
        assert "ignored" not in agent.ctl("policy", "show") and "last reload" not in agent.ctl("policy", "show")


with workplace("bad-settings") as work:
    check(work)
