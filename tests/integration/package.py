#!/usr/bin/env python3
"""installer/package, on what this build has made: what its packages hold, and that they can be installed, run and purged.

They are installed by dpkg over a copy of this computer's file system that is thrown away (an overlay in a mount namespace), with all that their
scripts do. That needs root, or what unshare gives to others; without, that half is skipped."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from picket_site import BIN, BUILD, SOURCE, run, workplace

SECTIONS = {"picket-agent": "admin", "picket-sdk": "devel", "picket-source-share": "admin"}
HOLDS = {
    "picket-agent": ["usr/sbin/picketd", "usr/bin/picketctl", "usr/libexec/picket/picket-plugin-host", "usr/libexec/picket/picket-launcher", "etc/picket/picketd.conf",
                     "etc/picket/trust/plugins/plugin.pub.json", "etc/picket/trust/policy/", "lib/systemd/system/picketd.service|usr/lib/systemd/system/picketd.service",
                     "usr/share/man/man8/picketd.8", "usr/lib/picket/plugins/org.picket.scanner/", "usr/share/picket/ksn_en.txt|usr/share/picket/statements/ksn_en.txt"],
    "picket-sdk": ["usr/include/picket/plugin.h", "usr/include/picket/plugin.hpp", "usr/bin/picket-repo", "usr/bin/picket-plugin-pack", "usr/share/picket/template/CMakeLists.txt"],
    "picket-source-share": ["usr/lib/picket/plugins/org.picket.source-share/"],
}
# In the scratch root, as root of it. It says "no overlay" and ends with 77 when it cannot begin.
INSTALL = r"""
set -eu
place=$1 repository=$2; shift 2
mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs "$place" && mkdir "$place/upper" "$place/work" "$place/root" \
  && mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root" || { echo "no overlay here"; exit 77; }
root=$place/root
mount -t tmpfs -o mode=755 tmpfs "$root/run"  # without systemd's folder: nothing is started
mount --rbind /proc "$root/proc"; mount --rbind /dev "$root/dev"
rm -rf "$root/etc/picket" "$root/var/lib/picket"
mkdir "$root/debs"
for deb in "$@"; do cp "$deb" "$root/debs/"; done
cp "$repository" "$root/debs/root.json"
cat >"$root/debs/inside" <<'END'
set -eu
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
dpkg --force-confold --install /debs/*.deb
dpkg --audit | grep . && exit 1
getent group picket
cp /debs/root.json /etc/picket/trust/root.json
# As picketd.conf says, except where no group but root's can be given.
members=root
if chgrp picket /debs 2>/dev/null; then
  members=picket
  sed -i 's/^#socket-group/socket-group/' /etc/picket/picketd.conf
fi
# As the unit does it, but without systemd.
setsid /usr/libexec/picket/picket-launcher -- /usr/sbin/picketd >/debs/log 2>&1 &
pid=$!
tries=0
until picketctl plugin list --json >/debs/plugins 2>/debs/why; do
  tries=$((tries + 1))
  kill -0 "$pid" && [ $tries -lt 300 ] || { cat /debs/why /debs/log; exit 1; }
  sleep 0.1
done
cat /debs/plugins
picketctl config show >/dev/null
[ "$(stat -c %G /run/picket/picketd.sock)" = $members ] || { echo "the control socket is not for the group $members"; exit 1; }
kill "$pid"; wait "$pid" || true
touch /var/lib/picket/left-behind
echo "# an administrator's line" >>/etc/picket/picketd.conf
dpkg --remove picket-source-share 2>/dev/null || true
dpkg --remove picket-agent
[ -e /etc/picket/picketd.conf ] && [ -e /var/lib/picket/left-behind ] && [ ! -e /usr/sbin/picketd ] || { echo "remove took, or left, too much"; exit 1; }
dpkg --purge picket-agent picket-sdk
[ ! -e /etc/picket/picketd.conf ] && [ ! -e /var/lib/picket ] && [ ! -e /usr/bin/picket-repo ] || { echo "purge left something"; exit 1; }
END
exec chroot "$root" sh /debs/inside
"""


def lines_of(*command):
    return run(*command).stdout.splitlines()


def check(deb):
    """The package's name, and the programs in it."""
    fields = dict(line.strip().split(": ", 1) for line in lines_of("dpkg-deb", "--info", deb) if re.match(r" [A-Z][A-Za-z-]+: ", line))
    name = fields["Package"]
    version = re.search(r"project\(picket VERSION ([0-9.]+)", (SOURCE / "CMakeLists.txt").read_text()).group(1)
    assert fields["Version"].startswith(version) and fields["Section"] == SECTIONS[name] and fields["Architecture"] != "all", fields
    assert "libc6" in fields["Depends"], f"{name}: dpkg-shlibdeps found nothing: {fields['Depends']}"
    programs, files = [], []
    for line in lines_of("dpkg-deb", "--contents", deb):
        mode, owner, _, _, _, path = line.split(None, 5)
        path = path.removeprefix("./")
        assert owner == "root/root" and (mode[0] == "l" or "w" not in mode[5] + mode[8]), f"{name}: {line}"
        assert not path.endswith(".key.pem"), f"{name} holds a private key: {path}"
        files.append(path)
        if mode[0] == "-" and mode[3] == "x" and re.match(r"usr/(bin|sbin|libexec/picket)/", path):
            programs.append(pathlib.Path(path).name)
    for wanted in HOLDS[name]:
        assert any(path.startswith(part) for part in wanted.split("|") for path in files), f"{name} does not hold {wanted}"
    if name == "picket-agent":
        assert "adduser" in fields["Depends"], fields["Depends"]
        for script in ("postinst", "prerm", "postrm", "conffiles"):
            run("dpkg-deb", "--info", deb, script)
    print(f"{name} {fields['Version']}: {len(files)} files, programs: {', '.join(programs) or 'none'}", flush=True)
    return name, programs


def main(work):
    out = subprocess.run([SOURCE / "installer" / "package"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    assert out.returncode == 0, out.stdout + out.stderr
    debs = [pathlib.Path(line) for line in out.stdout.splitlines() if line.endswith(".deb")]
    try:
        found = dict(check(deb) for deb in debs)
        wanted = {"picket-agent", "picket-sdk"} | ({"picket-source-share"} if list((BUILD / "plugins").glob("org.picket.source-share")) else set())
        assert set(found) == wanted, found
        # Built before they are packed, also in a clean clone.
        targets = re.search(r"build release (.*)", (SOURCE / "installer" / "package").read_text()).group(1).split()
        for program in found["picket-agent"] + found["picket-sdk"]:
            assert program in targets, f"installer/package does not build {program}, which is packed"

        publisher = work / "publisher"
        for step in ("init", "sign", "publish"):
            run(BIN / "picket-repo", step, "--repo", publisher)
        place = work / "place"
        place.mkdir()
        unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
        done = subprocess.run([*unshare, "sh", "-c", INSTALL, "install", place, publisher / "repository/metadata/1.root.json", *debs], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        if done.returncode == 77 or "unshare failed" in done.stderr:
            print(f"skipped: the packages are as they should be, but cannot be installed here: {(done.stdout + done.stderr).strip()}")
            sys.exit(77)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        plugins = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"schema"')))["data"]["plugins"]
        bad = [plugin for plugin in plugins if plugin["state"] != "running"]
        assert len(plugins) >= 5 and not bad, bad
        print(f"installed, {len(plugins)} plugins run, removed, purged")
    finally:
        shutil.rmtree(debs[0].parent if debs else BUILD / "package", ignore_errors=True)


with workplace("package") as folder:
    main(folder)
