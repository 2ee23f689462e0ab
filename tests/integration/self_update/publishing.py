"""What picket's own updates are made of: packages of plugins, and an agent that takes them."""
import json

import picket_site
from picket_site import BIN, BUILD, SOURCE, folder_source

RULES = SOURCE / "tests" / "data" / "yara-rules" / "r1"
PROBE = "org.picket.test.bad"       # the ids that the conformance tests' plugins have
ECHO = "org.picket.test.good-echo"


def run(*command, status=0):
    return picket_site.run(*command, status=status).stdout


class Publisher(picket_site.Publisher):
    def __init__(self, work):
        super().__init__(work / "publisher")

    def publish(self, component, release, content, cls="agent"):
        # No deltas: between plugins that are not stripped they take minutes, and are tested elsewhere.
        self.add(component, release, content, "--class", cls, "--deltas", 0)
        super().publish()

    def package(self, into, manifest, library):
        """A signed package of a plugin, as an author makes it."""
        source = self.folder.parent / "manifest.json"
        source.write_text(json.dumps({key: value for key, value in manifest.items() if key != "sha256"}))
        run(BIN / "picket-plugin-pack", "--manifest", source, "--library", library, "--development-key", BUILD / "devkey", "--output", into)


class Agent(picket_site.Agent):
    def __init__(self, work, publisher, more, launcher=()):
        super().__init__(work / "agent", publisher, {"child-program": BIN / "picket-plugin-host"}, ["org.picket.source-folder"], launcher)
        with open(self.folder / "picketd.conf", "a") as config:
            config.write(more)
        self.update_from(folder_source(publisher.repository), keep_sets=3)
        self.home = self.folder


def plugin_library(name):
    return BUILD / "tests" / "conformance" / "host" / "plugins" / f"{name}.so"


def echo(version):
    return {"manifest": 1, "id": ECHO, "version": version, "vendor": "test", "file": "plugin.so", "abi": {"major": 1}, "topics": {"answers": ["test.echo"], "subscribes": ["test.event"]},
            "isolation": {"preferred": "in-process"}, "settings_schema": {"type": "object"}}, plugin_library("good_echo")


def probe(version, library, when):
    """Manifest and library of a plugin that is well or not, as its settings' default says."""
    return {"manifest": 1, "id": PROBE, "version": version, "vendor": "test", "file": "plugin.so", "abi": {"major": 1}, "topics": {"answers": ["test.bad"], "subscribes": ["test.event"]},
            "limits": {"callback_ms": 500}, "settings_schema": {"type": "object", "properties": {"when": {"type": "string", "default": when}}}}, plugin_library(library)
