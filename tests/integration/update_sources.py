#!/usr/bin/env python3
"""A real picketd with its isolated source plugins, before real servers: FTP, FTP with TLS, SFTP, an SMB share, and a web server by a name that only
a resolver of the settings knows. They stand in one ordered list. The first that lives brings two releases; then its server is switched off, and the
next one's turn comes. After each update: what is in force, and what `update explain` says of every source."""
import contextlib
import hashlib

from picket_servers import PASSWORD, PACKAGES, Dnsmasq, Smbd, Sshd, Vsftpd, skip_without
from picket_site import BUILD, Agent, Explained, Nginx, Publisher, run, workplace

DOMAIN = "picket-test.invalid"  # never resolved elsewhere (RFC 6761)
WHY = {"stranger": "is not the one in known_hosts"}  # the others do not answer, which is said with their address
PLUGINS = ["org.picket.source-ftp", "org.picket.source-share", "org.picket.source-http"]


def publish(publisher, release):
    files = publisher.folder.parent / "files"
    files.mkdir(exist_ok=True)
    # Hex of hashes, all of them new: a full file of a length that no server sends in one piece.
    (files / "rules.txt").write_text("".join(hashlib.sha256(f"{release} {i}".encode()).hexdigest() + "\n" for i in range(4000)))
    publisher.add("rules", release, files, "--level", 1, "--deltas", 0)
    publisher.publish()
    return (files / "rules.txt").read_bytes()


def check(agent, sources, at, release, content, ended):
    """After an update that sources[at] must have brought. `ended`: the one before it worked at the update before this one."""
    name, location = sources[at]["name"], sources[at]["location"]
    explained = Explained(agent)
    component = next(each for each in agent.json("component", "list")["components"] if each["component"] == "rules")
    assert (component["release"], component["freshness"]) == (release, "ok"), component
    assert (agent.current("rules") / "rules.txt").read_bytes() == content
    assert f" {release} " in next(line for line in agent.ctl("component", "list").splitlines() if line.startswith("rules ")), "and so people read it"

    # Which source was used, for which file.
    assert "taken: the first source whose metadata are good" in explained.of(name), explained
    assert "read" in explained.of(name, "timestamp.json"), explained
    brought = [(step["source"], step["decision"]) for step in explained.steps if step["component"] == "rules" and step["decision"].startswith("verified, ")]
    assert len(brought) == 1 and brought[0][0] == name and f" from {location}targets/rules/" in brought[0][1], f"{brought} of {name} at {location}:\n{explained}"
    # And why none of the others.
    for i, other in enumerate(sources):
        said = explained.of(other["name"])
        if i > at:
            assert said == [f"not asked: {name} comes before it and works; stands by for single files"], explained
        elif i < at and i >= ended:
            # No more than its reason: it never gave a file.
            assert any(line.startswith("failed: ") and WHY.get(other["name"], other["location"].split("/")[2]) in line for line in said), explained
        elif i < at:
            assert len(said) == 1 and said[0].startswith("rests for ") and WHY.get(other["name"], "") in said[0], explained
    return explained


def main(work, started):
    publisher = Publisher(work / "publisher")
    root = publisher.repository
    enter = started.enter_context
    ftp, ftps = enter(Vsftpd(work / "vsftpd", root)), enter(Vsftpd(work / "vsftpd-tls", root, tls=True))
    sshd, smbd = enter(Sshd(work / "sshd", root)), enter(Smbd(work / "smbd", root))
    nginx, dns = enter(Nginx(work / "nginx", f"root {root};")), enter(Dnsmasq(work / "dnsmasq", DOMAIN))
    # The same server, believed to have another key: as when somebody answers in its place.
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", work / "other")
    (work / "other_hosts").write_text(sshd.as_known((work / "other.pub").read_text()))

    login = {"user": "tester", "password": PASSWORD}
    sources = [
        {"name": "ftp", "plugin": "org.picket.source-ftp", "location": ftp.url},
        {"name": "ftps", "plugin": "org.picket.source-ftp", "location": ftps.url, "options": {"tls": True, "ca_file": str(ftps.certificate)}},
        {"name": "stranger", "plugin": "org.picket.source-ftp", "location": sshd.url, "options": {**login, "known_hosts": str(work / "other_hosts")}},
        {"name": "sftp", "plugin": "org.picket.source-ftp", "location": sshd.url, "options": {**login, "known_hosts": str(sshd.known_hosts)}},
        {"name": "share", "plugin": "org.picket.source-share", "location": smbd.url, "options": login},
        # The system's own DNS may take its time to know nothing.
        {"name": "named", "plugin": "org.picket.source-http", "location": f"http://updates.{DOMAIN}:{nginx.ports[0]}/", "connect_timeout_seconds": 3},
    ]
    servers = {"ftp": ftp, "ftps": ftps, "sftp": sshd, "share": smbd}
    agent = enter(Agent(work / "agent", publisher, {"log-file": work / "agent" / "log"}, PLUGINS))
    agent.update_from(*sources, components=["rules"], rest_after_failure_seconds=3600)
    agent.settings("org.picket.source-http", allow_http=True, proxy="none", fallback_resolvers=[dns.resolver])
    agent.settings("org.picket.source-ftp", fallback_resolvers=[])
    release, ended = 1, 0
    contents = publish(publisher, release)
    agent.start()
    for plugin in PLUGINS:
        assert agent.plugin(plugin)["home"] == "isolated", agent.plugin(plugin)
    for at, source in enumerate(sources):
        if source["name"] == "stranger":
            continue
        for _ in range(2):
            agent.ctl("update", "run")
            explained = check(agent, sources, at, release, contents, ended)
            ended = at  # from now on those before it rest
            release += 1
            contents = publish(publisher, release)
        print(f"{source['name']}: releases {release - 2} and {release - 1}")
        if source["name"] == "ftps":
            said = (ftps.folder / "log").read_text()
            assert "AUTH TLS" in said and "PROT P" in said, said
        if source["name"] in servers:
            servers[source["name"]].end()

    notes = explained.of("named", ".json")
    wanted = f"the system's DNS cannot resolve updates.{DOMAIN}: its address 127.0.0.1 comes from the fallback resolvers ({dns.resolver})"
    assert wanted in notes, explained
    assert wanted in agent.ctl("update", "explain"), "and so people read it"
    assert f"updates.{DOMAIN}" in dns.log(), dns.log()
    agent.end()


skip_without(*PACKAGES, nss_wrapper=True)
if not (BUILD / "plugins" / "org.picket.source-share").exists():
    print("skipped: this build has no source_share (libsmbclient-dev was not installed)")
    raise SystemExit(77)
with workplace("sources") as place, contextlib.ExitStack() as running:
    place.chmod(0o755)  # servers may read it as another user
    main(place, running)
