#!/usr/bin/env python3
"""Settings that a real picketd cannot take, local and of a policy, at its start and while it runs: one clear line in the log, the same in `status`,
`policy show` and `doctor`, what was in force stays, and no secret stands anywhere."""
import signal

from picket_site import Agent, Publisher, folder_source, run, wait_for, workplace

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


def in_force(agent, setting):
    return agent.json("policy", "explain", "org.picket.update", setting)["settings"][0]["value_json"]


def against_the_schema(work, publisher):
    with Agent(work / "agent", publisher, plugins=["org.picket.source-folder"]) as agent:
        good = folder_source(publisher.repository)
        agent.update_from(good, components=["rules"])
        agent.start()
        assert not lines(agent, "warning", " policy: local"), agent.log()

        write(agent, '{"keep_sets": 0}')
        line = reload(agent)
        assert " error " in line and 'local values stay as they were: org.picket.update: setting keep_sets: 0 breaks the rule "minimum": 1' in line, line
        is_told(agent, "last reload, ", "setting keep_sets: 0 breaks the rule")
        assert in_force(agent, "interval_minutes") == 0, "what was in force stays"
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


def against_the_part_itself(work, publisher):
    """What fits the schema, and is refused by who takes it: none of it is the end of picketd, not at its next start either."""
    good, twins, contradiction = folder_source(publisher.repository), 'sources: name: two sources are named "folder"', "critical_after_hours: must be more than warning_after_hours"
    with Agent(work / "rules", publisher, options={"policy-keys": work / "rules" / "keys"}, plugins=["org.picket.source-folder"]) as agent:
        agent.make_policy_key()
        agent.update_from(good, components=["rules"])
        agent.start()

        agent.update_from(good, good)
        line = reload(agent)
        assert " error " in line and f"local values stay as they were: org.picket.update: {twins}" in line, line
        is_told(agent, "last reload, ", twins)
        assert "rules" in agent.ctl("update", "run"), "with the source of before"
        agent.settings("org.picket.tasks", tasks={"out": {"type": "copy", "options": {"folders": ["srv"]}}})
        agent.end()
        agent.start()
        for told in (f"local settings of org.picket.update are ignored: org.picket.update: {twins}",
                     "local settings of org.picket.tasks are ignored: org.picket.tasks: tasks.out.options.folders: 'srv' is no absolute path"):
            assert len(lines(agent, " warning policy: ", told)) == 1, agent.log()
            is_told(agent, told)
        agent.settings("org.picket.tasks")
        agent.update_from(good, components=["rules"])
        assert " info " in reload(agent)
        assert "ignored" not in agent.ctl("policy", "show")

        # A policy of this kind is refused before anybody is offered it; the one before stays, also over a restart.
        agent.apply_policy(1, {"org.picket.update": {"settings": {"warning_after_hours": 100}}})
        refused = agent.apply_policy(2, {"org.picket.update": {"settings": {"warning_after_hours": 200}}}, status=1)
        assert f"refused: org.picket.update: {contradiction}" in refused, refused
        assert len(lines(agent, " warning policy: refused: ", contradiction)) == 1, agent.log()
        is_told(agent, "last refusal, ", contradiction)
        agent.end()
        agent.start()
        is_told(agent, "last refusal, ", contradiction)
        assert in_force(agent, "warning_after_hours") == 100

        # One that fits only beside local values, which are gone at the next start: what else it says counts.
        agent.update_from(good, components=["rules"], critical_after_hours=400)
        assert " info " in reload(agent)
        agent.apply_policy(3, {"org.picket.update": {"settings": {"warning_after_hours": 300, "keep_sets": 5}}})
        assert in_force(agent, "warning_after_hours") == 300 and not agent.ctl("policy", "show").count("last refusal")
        agent.end()
        agent.update_from(good, components=["rules"])
        agent.start()
        told = f"the policy's setting warning_after_hours is ignored: org.picket.update: {contradiction}"
        assert len(lines(agent, " warning policy: ", told)) == 1, agent.log()
        is_told(agent, told)
        assert in_force(agent, "warning_after_hours") == 72 and in_force(agent, "keep_sets") == 5
        agent.end()


def mistakes_of_a_policy(work, publisher):
    """What a local value hides today, and a lock that locks nothing, are refused as any other mistake; what is no policy at all is only answered."""
    scanner = "org.picket.scanner"
    with Agent(work / "mistakes", publisher, options={"policy-keys": work / "mistakes" / "keys"}, plugins=[scanner, "org.picket.source-folder"]) as agent:
        agent.make_policy_key()
        agent.update_from(folder_source(publisher.repository), components=["rules"])
        agent.settings(scanner, threads=2)
        agent.start()
        slip = agent.ctl("policy", "apply", "/etc/passwd", status=1)
        assert "refused: DSSE envelope: " in slip, slip
        assert "last refusal" not in agent.ctl("policy", "show"), "a slip is nothing to warn of from now on"

        for section, why in (({"settings": {"threads": "many"}}, 'setting threads: "many" breaks the rule "type": "integer" (from the policy)'),
                             ({"locked": ["thredas"]}, "locked: setting thredas is unknown"),
                             ({"topics": {"answers": ["picket.scan.*"]}}, "topics.answers leaves out picket.component.activate, by which it is handed the component yara-rules that it needs")):
            refused = agent.apply_policy(1, {scanner: section}, status=1)
            assert f"refused: {scanner}: {why}" in refused, refused
            is_told(agent, "last refusal, ", why)
        agent.end()
        (agent.folder / "settings" / f"{scanner}.json").unlink()
        agent.start()
        assert agent.plugin(scanner)["state"] == "running", agent.log()
        agent.end()


def names_of_nobody(work, publisher):
    """One warning each in the log and in doctor."""
    with Agent(work / "names", publisher, options={"in-process": ["not an id", "org.picket.source-folder"], "log-level": "info,nope=debug,plugin=info"}, plugins=["org.picket.source-folder"]) as agent:
        agent.update_from(folder_source(publisher.repository), components=["rules"])
        agent.start()
        stray = agent.folder / "settings" / "org.picket.scnner.json"
        stray.write_text("{}")
        for _ in range(2):
            reload(agent)
        mistakes = (f"{stray} is used by nobody: no plugin 'org.picket.scnner' is installed", "in-process: no plugin 'not an id' is installed", "log-level: nothing writes into the log as 'nope'")
        for told in mistakes:
            wait_for("a line about it", lambda: lines(agent, told), agent.log)
            assert len(lines(agent, " warning agent: ", told)) == len(lines(agent, told)) == 1, agent.log()
            doctor = agent.run_ctl("doctor", status=None).stdout
            assert doctor.count(told) == 1, doctor
        assert len(lines(agent, " warning agent: ")) == len(mistakes), agent.log()
        stray.unlink()
        assert "scnner" not in agent.run_ctl("doctor", status=None).stdout
        agent.end()


def a_second_picketd(work, publisher):
    """Started by mistake on the same data folder: it ends with one clear line, and what the first one is in the middle of is left alone."""
    with Agent(work / "twice", publisher, plugins=[]) as agent:
        agent.start()
        offered = agent.folder / "data" / "policy" / "policy.candidate.dsse"
        offered.write_text("being offered")
        said = run(*agent.command, status=1).stderr
        assert f"picketd: {agent.folder / 'data'}: in use by another process (process {agent.process.pid})" in said, said
        assert offered.read_text() == "being offered"
        agent.ctl("policy", "show")
        agent.end()


with workplace("bad-settings") as work:
    the_publisher = Publisher(work / "publisher")
    the_publisher.publish_text("rules", 1, "a\n")
    against_the_schema(work, the_publisher)
    against_the_part_itself(work, the_publisher)
    mistakes_of_a_policy(work, the_publisher)
    names_of_nobody(work, the_publisher)
    a_second_picketd(work, the_publisher)
