#!/usr/bin/env python3
"""A share that is really mounted, as a path of the sources that read paths: a real smbd behind smbnetfs, which mounts with FUSE as a user's program.
(The kernel's own clients of SMB and NFS are modules, which test machines lack.) A mirror on the disk, through the same plugin, stands by. The server
hangs in the middle of a file and before one, goes on, and is switched off: no update waits for it, and each says why in one line."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys

from picket_servers import PASSWORD, Server, Smbd, skip_without
from picket_site import BIN, BUILD, LIMIT, Agent, Explained, Publisher, run, wait_for, workplace

PLUGINS = ["org.picket.source-folder", "org.picket.source-share"]
HUNG = "sent nothing for 4 s"  # connect and stall timeout, and one second more


class Mount(Server):
    """The share of an Smbd in the folder `place`. It waits longer for its server than the test takes: as a mount that hangs."""

    def __init__(self, folder, smbd):
        super().__init__(folder)
        self.place = folder / "share"
        self.place.mkdir()
        host = f"127.0.0.1:{smbd.port}"
        settings = folder / ".smb" / "smbnetfs.conf"
        settings.parent.mkdir()
        (settings.parent / "smb.conf").write_text("[global]\nclient min protocol = SMB2\n")
        settings.write_text(f'smb_query_browsers "false"\nuse_libsecret "false"\nauth "tester" "{PASSWORD}"\nhost "{host}"\n'
                            f"smb_timeout {2000 * int(LIMIT)}\nreply_timeout {2 * int(LIMIT)}\n")
        settings.chmod(0o600)
        # In pieces of 4 KiB, and nothing from memory: a file then takes its time, in which the server can be stopped.
        options = f"config={settings},direct_io,max_read=4096,modules=subdir,subdir=/{host}/updates"
        self.launch("smbnetfs", "-f", "-o", options, self.place, env={"HOME": str(folder), "PATH": os.environ["PATH"]})
        try:
            wait_for("the mount", self.is_mounted, self.log)
        except BaseException:
            self.end()
            raise

    def is_mounted(self):
        if self.process.poll() is not None and "Operation not permitted" in self.log():
            print(f"skipped: mounting is not permitted here: {self.log().strip()}")
            sys.exit(77)
        assert self.process.poll() is None, f"it ended: {self.log()}"
        return os.path.ismount(self.place)

    def end(self, by=signal.SIGKILL):
        super().end(by)  # the kernel then fails whatever waits
        run("fusermount", "-u", "-z", self.place, status=None)
        assert f" {self.place} " not in pathlib.Path("/proc/self/mountinfo").read_text(), "it is mounted still"


def publish(publisher, release, size=1000):
    files = publisher.folder.parent / "files"
    files.mkdir(exist_ok=True)
    (files / "rules.bin").write_bytes(os.urandom(size))
    publisher.add("rules", release, files, "--deltas", 0)
    publisher.publish()
    return (files / "rules.bin").read_bytes()


def check(agent, content, source):
    """After an update: the content is in force, and this source brought it. Returns what was said."""
    explained = Explained(agent)
    assert (agent.current("rules") / "rules.bin").read_bytes() == content, explained
    assert any(said.startswith("verified, ") for said in explained.of(source, ".tar.zst")), explained
    return explained


def update(agent, publisher, release, source):
    content = publish(publisher, release)
    agent.ctl("update", "run")
    return check(agent, content, source)


def goes_on(agent, smbd):
    """Until the reads that hung have come back: without a new start of anything, it is used again."""
    smbd.tell(signal.SIGCONT)

    def is_taken():
        agent.ctl("update", "run")
        return "taken: the first source whose metadata are good" in Explained(agent).of("mounted")

    wait_for("the mounted share", is_taken, lambda: Explained(agent))


def hangs_in_the_middle_of_a_file(agent, publisher, smbd, release):
    content = publish(publisher, release, 32 << 20)

    def begun():
        return next((part for part in (agent.folder / "data" / "update" / "downloads").glob("*.part") if part.stat().st_size > 0), None)

    command, nowhere = [BIN / "picketctl", "--socket", agent.socket, "update", "run"], subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere) as updating:
        part = wait_for("the first bytes", begun, agent.log)
        smbd.tell(signal.SIGSTOP)
        assert agent.component("rules")["component"] == "rules" and len(agent.json("plugin", "list")["plugins"]) == 1, "the agent answers"
        assert updating.poll() is None and part.stat().st_size < len(content), "it hangs meanwhile"
    assert updating.returncode == 0
    explained = check(agent, content, "disk")
    assert any(HUNG in said for said in explained.of("mounted", ".tar.zst")), explained
    assert "; resumed at " in explained.of("disk", ".tar.zst")[0], explained
    goes_on(agent, smbd)


def hangs_before_a_file(agent, publisher, smbd, plugin, place, release):
    """Returns the next release."""
    smbd.tell(signal.SIGSTOP)
    explained = update(agent, publisher, release, "disk")
    assert explained.of("mounted") == [f"failed: get 2.root.json: {plugin} {HUNG}"], explained
    # From now on no update waits for it, and what comes after it works however often it is asked.
    refusal = f"failed: get 2.root.json: {plugin.rpartition('-')[2]} {place} does not answer (a dead mount or server?): a read has been waiting for "
    refusals = 0
    for _ in range(10):
        release += 1
        said = update(agent, publisher, release, "disk").of("mounted")
        assert len(said) == 1 and (said[0].startswith(refusal) or HUNG in said[0] and refusals == 0), said
        refusals += said[0].startswith(refusal)
    assert refusals >= 5, refusals
    # A process that hangs in the kernel keeps the agent neither from ending nor from starting again.
    agent.end()
    agent.start()
    explained = update(agent, publisher, release + 1, "disk")
    assert explained.of("mounted") == [f"failed: get 2.root.json: {plugin} {HUNG}"], explained
    goes_on(agent, smbd)
    return release + 2


def main(work, plugin):
    work.mkdir()
    publisher = Publisher(work / "publisher")
    content = publish(publisher, 1)
    with Smbd(work / "smbd", publisher.repository) as smbd, Mount(work / "mount", smbd) as mount, Agent(work / "agent", publisher, plugins=[plugin]) as agent:
        sources = [{"name": name, "plugin": plugin, "location": str(place)} for name, place in (("mounted", mount.place), ("disk", publisher.repository))]
        agent.update_from(*sources, components=["rules"], connect_timeout_seconds=1, stall_timeout_seconds=2)
        agent.start()
        assert agent.plugin(plugin)["home"] == "isolated"
        agent.ctl("update", "run")
        explained = check(agent, content, "mounted")
        assert f" from {mount.place}/targets/rules/" in explained.of("mounted", ".tar.zst")[0], explained

        hangs_in_the_middle_of_a_file(agent, publisher, smbd, 2)
        update(agent, publisher, 3, "mounted")
        release = hangs_before_a_file(agent, publisher, smbd, plugin, mount.place, 4)
        update(agent, publisher, release, "mounted")

        smbd.end()
        explained = update(agent, publisher, release + 1, "disk")
        said = explained.of("mounted")
        assert len(said) == 1 and said[0].startswith(f"failed: get 2.root.json: folder {mount.place}: "), explained
        mount.end()
        said = update(agent, publisher, release + 2, "disk").of("mounted")
        assert said == [f"failed: get timestamp.json: {mount.place}/metadata/timestamp.json does not exist"], said  # an empty folder now
        agent.end()
    print(f"{plugin}: {release + 2} releases")


skip_without("smbd", "smbpasswd", "smbnetfs", "fusermount", nss_wrapper=True)
try:
    os.close(os.open("/dev/fuse", os.O_RDWR))
except OSError as error:
    print(f"skipped: /dev/fuse cannot be used: {error.strerror}")
    raise SystemExit(77)
with workplace("mounted") as place:
    place.chmod(0o755)  # the server may read it as another user
    for each in PLUGINS:
        if (BUILD / "plugins" / each).exists():
            main(place / each, each)
        else:
            print(f"{each}: this build has none (libsmbclient-dev was not installed)")
