#!/usr/bin/env python3
"""A signed policy takes topics away from a plugin of a real picketd, and the next one gives them back."""
from picket_site import Agent, wait_for, workplace

PLUGIN, TOPIC = "org.picket.source-folder", "picket.source.appeared"
NEEDS_ALL = "org.picket.cloud-mode"  # does not start without its topics
SAYS = "org.picket.ksn-client"  # how KSN is; cloud mode hears it


def publishes(agent):
    return any(PLUGIN in topic["publishers"] for topic in agent.json("bus", "topics")["topics"] if topic["topic"] == TOPIC)


def withdrawn(agent):
    """What it said before on a topic that it may not publish any more counts for nobody, and counts again when it may."""
    kept, nobody = lambda: agent.json("status", status=None)["ksn"], "no plugin has said so"
    why = lambda: agent.json("update", "status")["variant_reason"]
    wait_for("cloud mode to hear how KSN is", lambda: kept() is not None and "KSN is not in use" in why() and nobody not in why(), agent.log)
    agent.apply_policy(4, {SAYS: {"topics": {"publishes": []}}})
    assert kept() is None, "whoever comes later finds nothing"
    wait_for("cloud mode to hear that it counts no more", lambda: nobody in why(), agent.log)
    agent.apply_policy(5, {})
    wait_for("cloud mode to hear it again", lambda: kept() is not None and nobody not in why(), agent.log)


def check(work):
    with Agent(work / "agent", options={"policy-keys": work / "agent" / "keys"}, plugins=[PLUGIN, NEEDS_ALL, SAYS]) as agent:
        agent.settings(SAYS, enabled=False, folder=str(work / "ksn"))
        agent.start()
        agent.make_policy_key()  # of a device that runs already
        assert publishes(agent) and agent.json("policy", "explain", PLUGIN)["topics"] == []

        # Who cannot do without does not take it: everything stays as it was.
        refused = agent.apply_policy(1, {NEEDS_ALL: {"topics": {"publishes": []}}}, status=1)
        assert "cannot be published; all went back to the settings before" in refused, refused
        assert agent.plugin(NEEDS_ALL)["state"] == "running" and agent.json("policy", "explain", NEEDS_ALL)["topics"] == []

        agent.apply_policy(1, {PLUGIN: {"topics": {"publishes": [], "answers": ["picket.*"]}}})
        assert not publishes(agent), "taken away without a restart of picketd"
        explained = agent.json("policy", "explain", PLUGIN)["topics"]
        assert [row["list"] for row in explained] == ["publishes", "answers"] and explained[0]["taken_away"] == [TOPIC] and explained[1]["taken_away"] == [], explained
        assert "TAKEN AWAY BY THE POLICY" in agent.ctl("policy", "explain", PLUGIN)
        assert "revision 1 is in force" in agent.log()
        agent.end()
        agent.start()
        assert not publishes(agent), "nor after one"

        agent.apply_policy(2, {PLUGIN: {"topics": {"publishes": ["no topic!"]}}}, status=1)
        assert 'breaks the rule "pattern"' in agent.ctl("policy", "show")
        agent.apply_policy(3, {})
        assert publishes(agent) and agent.json("policy", "explain", PLUGIN)["topics"] == []
        withdrawn(agent)
        agent.end()


with workplace("policy-topics") as work:
    check(work)
