#!/usr/bin/env python3
"""A private KSN and a KSN proxy, which have a port each, the proxy a folder too, get new versions while clients ask them."""
import http.client
import json
import shutil
import ssl

import picket_site
from clients import Clients, answer_to, fresh, kept
from picket_site import BIN, BUILD, LIMIT, free_port, wait_for
from publishing import RULES, Agent, Publisher, run


def reputation(work):
    publisher = Publisher(work)
    publisher.publish("yara-rules", 1, RULES, "databases")
    agent = Agent(work, publisher, "plugin-component = picket-plugins\nin-process = org.picket.source-folder\n")
    ports = {"org.picket.ksn-service": free_port(), "org.picket.ksn-proxy": free_port()}
    ksn = work / "ksn"
    run(BIN / "picket-ksn", "init", ksn, "--name", "Test KSN", "--server", f"https://127.0.0.1:{ports['org.picket.ksn-service']}", "--listen", "127.0.0.1")
    # Who greets is admitted as who asks: here anybody, as fast as it answers.
    service = json.loads(next(ksn.rglob("org.picket.ksn-service.json")).read_text())
    service |= {"licences_required": False, "limits": {"installation_per_minute": 0, "address_per_minute": 0}}
    (agent.home / "settings" / "org.picket.ksn-service.json").write_text(json.dumps(service))
    keys = work / "keys"
    keys.mkdir()
    shutil.copy(ksn / "provider.pub.json", keys)
    proxy = {"enabled": True, "address": "127.0.0.1", "port": ports["org.picket.ksn-proxy"], "folder": str(agent.home / "proxy"), "names": ["127.0.0.1"],
             "provider_file": str(ksn / "provider.json"), "provider_keys": str(keys)}
    (agent.home / "settings" / "org.picket.ksn-proxy.json").write_text(json.dumps(proxy))
    content = work / "set1"
    for plugin in ports:
        version = next((BUILD / "plugins" / plugin).iterdir())
        manifest = json.loads((version / "plugin.json").read_text())
        library = work / manifest["file"]
        run("strip", "-o", library, version / manifest["file"])
        publisher.package(content, {**manifest, "version": "9.0.0"}, library)
        agent.add_plugin(plugin)
    clients = None
    agent.start()
    try:
        wait_for("the proxy's certificate", lambda: (agent.home / "proxy" / "tls" / "server.pem").exists(), agent.log)
        trust = {"org.picket.ksn-service": ksn / "tls" / "authority.pem", "org.picket.ksn-proxy": agent.home / "proxy" / "tls" / "server.pem"}

        def connect(plugin):
            return lambda: http.client.HTTPSConnection("127.0.0.1", ports[plugin], timeout=LIMIT, context=ssl.create_default_context(cafile=trust[plugin]))

        def hello(connection):
            assert b"Test KSN" in answer_to(connection, "POST", "/ksn/v1/hello").read()

        def answers(plugin):
            try:
                hello(connect(plugin)())
                return True
            except OSError:
                return False

        for plugin in ports:
            wait_for(plugin, lambda: answers(plugin), agent.log)
        clients = Clients(**{f"{kind.__name__} {plugin}": kind(connect(plugin), hello) for plugin in ports for kind in (fresh, kept)})
        clients.more()
        publisher.publish("picket-plugins", 1, content)

        def exchanged(by):
            was = {plugin: agent.plugin(plugin) for plugin in ports}
            by()
            for plugin, before in was.items():
                now = agent.plugin(plugin)
                assert now["version"] != before["version"] and now["pid"] != before["pid"] and now["state"] == "running" and now["health"] == "healthy", (now, agent.log())
            clients.more()
            assert not clients.failed, f"{clients.failed}\n{agent.log()}"

        exchanged(lambda: agent.ctl("update", "run", "--force"))
        publisher.publish("picket-plugins", 2, work / "set1")  # the same again: nothing to do
        agent.ctl("update", "run", "--force")
        assert all(agent.plugin(plugin)["version"] == "9.0.0" for plugin in ports)
        clients.end()
        assert not clients.failed, clients.failed
        print(f"a private KSN and a KSN proxy were exchanged; requests meanwhile, none failed: {clients.count}")
    finally:
        if clients is not None:
            clients.end()
        agent.end()


with picket_site.workplace("self") as work:
    reputation(work)
