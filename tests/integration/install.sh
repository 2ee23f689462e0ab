#!/bin/bash
# What the package brings is what an administrator needs: installed into a folder, the agent starts from there with its plugins.
set -eu
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }; chmod -R u+w "$work"; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; tail -n 20 "$work/picketd.log" 2>/dev/null || true; exit 1; }

DESTDIR=$work/root cmake --install "$PICKET_BUILD" --component agent >"$work/install.log" 2>&1 || { cat "$work/install.log"; fail "cmake --install"; }
prefix=$(dirname "$(dirname "$(find "$work/root" -name picketd -type f)")")
etc=$(dirname "$(find "$work/root" -name picketd.conf -not -path '*/roles/*')")
for file in "$prefix"/{sbin/picketd,bin/picketctl,libexec/picket/picket-plugin-host,libexec/picket/picket-launcher,lib/systemd/system/picketd.service,share/man/man8/picketd.8,share/man/man8/picket-launcher.8,share/man/man1/picketctl.1,share/man/man1/picket-ksn.1} \
  "$etc"/trust/plugins/plugin.pub.json; do
  [ -s "$file" ] || fail "not installed: ${file#"$work/root"}"
done
[ -z "$(find "$work/root" -perm /022 -not -type l)" ] || fail "writable by others: $(find "$work/root" -perm /022 -not -type l | head -3)"
[ -z "$(find "$work/root" -name '*.key.pem')" ] || fail "a private key is installed"
# dpkg asks before it writes over what an administrator has changed.
diff <(find "${etc%/picket}" -type f | sed "s|^${etc%/picket}|/etc|" | sort) <(sort "$PICKET_SOURCE/installer/debian/conffiles") || fail "what is installed below /etc is not what installer/debian/conffiles lists"
grep -qx 'ExecStart=/usr/libexec/picket/picket-launcher -- /usr/sbin/picketd' "$prefix/lib/systemd/system/picketd.service" || fail "the unit starts something else"
# What the examples have picketd write lies where the unit lets it.
python3 - "$prefix/lib/systemd/system/picketd.service" "$PICKET_SOURCE" <<'END' || fail "the unit does not let picketd write it"
import json, pathlib, re, sys
unit, source = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2])
of = lambda name: [word.lstrip("-") for line in re.findall(rf"^{name}=(.*)$", unit, re.M) for word in line.split()]
allowed = of("ReadWritePaths") + [f"{base}/{name}" for key, base in (("StateDirectory", "/var/lib"), ("LogsDirectory", "/var/log"), ("RuntimeDirectory", "/run")) for name in of(key)]
written = re.findall(r"^#(?:log-file|data-dir|run-dir) = (\S+)$", (source / "config/picketd.conf").read_text(), re.M)
for task in json.loads((source / "config/settings/org.picket.tasks.json").read_text())["tasks"].values():
    written += task.get("options", {}).get("folders", [])
written.append(json.loads((source / "config/settings/org.picket.distribution-point.json").read_text())["folder"])
assert len(written) == 5, written
refused = [place for place in written if not any(place == one or place.startswith(one + "/") for one in allowed)]
if refused:
    sys.exit(f"{', '.join(refused)}: not below {', '.join(allowed)}")
END

# What the package says when it is configured: that KSN is off and who decides; once, not again at an upgrade.
mkdir "$work/stubs"
for name in getent addgroup systemctl; do printf '#!/bin/sh\nexit 0\n' >"$work/stubs/$name" && chmod 755 "$work/stubs/$name"; done
said=$(PATH=$work/stubs:$PATH sh "$PICKET_SOURCE/installer/debian/postinst" configure) || fail "postinst configure"
grep -qF 'KSN is off: picketctl ksn statement show, then picketctl ksn statement accept, or decline' <<<"$said" || fail "postinst does not say that KSN is off: $said"
said=$(PATH=$work/stubs:$PATH sh "$PICKET_SOURCE/installer/debian/postinst" configure 0.0.9) || fail "postinst configure 0.0.9"
! grep -qF KSN <<<"$said" || fail "postinst asks about KSN again at an upgrade: $said"

PICKET_REPO=$work/publisher "$PICKET_BIN/picket-repo" init >/dev/null
for step in sign publish; do "$PICKET_BIN/picket-repo" $step --repo "$work/publisher" >/dev/null; done
"$prefix/libexec/picket/picket-launcher" --slots "$work/data/slots" -- "$prefix/sbin/picketd" --config "$etc/picketd.conf" --data-dir "$work/data" --run-dir "$work/run" --plugin-dir "$prefix/lib/picket/plugins" \
  --plugin-keys "$etc/trust/plugins" --policy-keys "$etc/trust/policy" --settings-dir "$etc/settings" \
  --update-root "$work/publisher/repository/metadata/1.root.json" >"$work/picketd.log" 2>&1 &
pid=$!
until grep -q 'agent: ready' "$work/picketd.log"; do
  kill -0 "$pid" 2>/dev/null || fail "picketd ended"
  [ $SECONDS -lt 60 ] || fail "not ready in a minute"
  sleep 0.1
done
# The installed picketctl leads to the one of an update's picketd, if nobody else can have put it there.
own=$("$prefix/bin/picketctl" --version)
mkdir "$work/slot"
printf '#!/bin/sh\necho "the newer one, $*"\n' >"$work/slot/picketctl"
chmod 755 "$work/slot/picketctl"
asked=("$prefix/bin/picketctl" --socket "$work/run/picketd.sock" --version)
[ ! -e "$work/run/picketctl" ] && [ "$("${asked[@]}")" = "$own" ] || fail "without an update picketctl is not the installed one"
ln -s "$work/slot/picketctl" "$work/run/picketctl"
[ "$("${asked[@]}")" = "the newer one, --socket $work/run/picketd.sock --version" ] || fail "the installed picketctl does not lead to the newer one: $("${asked[@]}")"
chmod 777 "$work/slot/picketctl"
[ "$("${asked[@]}")" = "$own" ] || fail "picketctl starts what others may have written"
chmod 755 "$work/slot/picketctl"
chmod 777 "$work/run"
[ "$("${asked[@]}")" = "$own" ] || fail "picketctl starts what lies in a folder of others"
chmod 755 "$work/run"
rm "$work/slot/picketctl"
[ "$("${asked[@]}")" = "$own" ] || fail "a link that leads nowhere is in the way"
rm "$work/run/picketctl"
plugins=$("$prefix/bin/picketctl" --socket "$work/run/picketd.sock" plugin list --json)
for id in $(cd "$PICKET_BUILD/plugins" && ls -d org.picket.* | grep -v source-share); do
  python3 -c 'import json,sys; p={x["id"]: x for x in json.loads(sys.argv[1])["data"]["plugins"]}.get(sys.argv[2]); sys.exit(0 if p and p["state"] == "running" else f"{sys.argv[2]}: {p}")' \
    "$plugins" "$id" || fail "plugin $id does not run"
done
echo "installed, started, $(echo "$plugins" | grep -o '"id"' | wc -l) plugins run"
