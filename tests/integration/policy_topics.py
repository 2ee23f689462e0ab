#!/usr/bin/env python3
"""A signed policy takes topics away from a plugin of a real picketd, and the next one gives them back."""
from picket_site import Agent, workplace

PLUGIN, TOPIC = "org.picket.source-folder", "picket.source.appeared"
NEEDS_ALL = "org.picket.cloud-mode"  # does not start without its topics


def publishes(agent):
    return any(PLUGIN in topic["publishers"] for topic in agent.json("bus", "topics")["topics"] if topic["topic"] == TOPIC)


def check(work):
    with Agent(work / "agent", options={"policy-keys": work / "agent" / "keys"}, plugins=[PLUGIN, NEEDS_ALL]) as agent:
        agent.make_policy_key()
        agent.start()
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
        agent.end()


with workplace("policy-topics") as work:
    check(work)
