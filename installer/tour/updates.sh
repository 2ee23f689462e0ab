# Sourced by installer/demo: a publisher and an agent, updates from a folder and a web server, and a tampered repository.

step "1. A publisher makes a signed repository from real YARA rules"
repo init --repo "$work/publisher"
release 1 r1 r1-light
repo show --repo "$work/publisher"

step "2. An agent starts: a small host, its plugins, and a third party's plugin that crashes every few seconds"
mkdir -p "$work/admin" "$work/trust/policy" "$work/settings"
repo key gen --keys "$work/admin" policy
cp "$work/admin/policy.pub.json" "$work/trust/policy/"
cat >"$work/settings/org.example.crasher.json" <<<'{"crash_after_ms": 1500}'
cat >"$work/picketd.conf" <<CONF
data-dir = $work/data
run-dir = $work/run
plugin-dir = $out/plugins
plugin-dir = $out/third-party-plugins
plugin-keys = $out/devkey
policy-keys = $work/trust/policy
settings-dir = $work/settings
update-root = $work/publisher/repository/metadata/1.root.json
in-process = org.picket.source-folder
in-process = org.picket.source-http
in-process = org.picket.cloud-mode
disabled = org.example.ksn-stand-in
log-file = $work/picketd.log
CONF
"$bin/picketd" --config "$work/picketd.conf" </dev/null >"$work/picketd.out" 2>&1 &
daemon=$!
wait_for "the agent" grep -q "agent: ready" "$work/picketd.log"  # systemd waits for the same
ctl plugin list
say "Without databases the scanner says so:"
expect 1 ctl scan "$data/samples"

step "3. An update from a folder (a share, or a USB stick), after another source that is not there"
policy 1 "[{\"name\": \"usb\", \"plugin\": \"org.picket.source-folder\", \"location\": \"$work/usb\"},
           {\"name\": \"folder\", \"plugin\": \"org.picket.source-folder\", \"location\": \"$work/publisher/repository\"}]"
ctl update run
ctl update explain | sed -n 1,12p
ctl component list
say "The scanner, with the rules of release 1:"
expect 4 ctl scan "$data/samples"

step "4. A newer release arrives on a web server, and is activated without a gap"
release 2 r2 r2-light
free_port port
mkdir -p "$work/web"
cat >"$work/web/nginx.conf" <<CONF
$([ "$(id -u)" != 0 ] || echo 'user root;')
daemon off; worker_processes 1; pid $work/web/pid; error_log $work/web/error.log;
events {}
http {
  access_log $work/web/access.log;
  client_body_temp_path $work/web; proxy_temp_path $work/web; fastcgi_temp_path $work/web; uwsgi_temp_path $work/web; scgi_temp_path $work/web;
  server { listen 127.0.0.1:$port; root $work/publisher/repository; }
}
CONF
nginx_program=$(command -v nginx || echo /usr/sbin/nginx)
"$nginx_program" -e "$work/web/error.log" -p "$work/web" -c "$work/web/nginx.conf" </dev/null >/dev/null 2>&1 &
web=$!
wait_for "the web server" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
web_source="[{\"name\": \"web\", \"plugin\": \"org.picket.source-http\", \"location\": \"http://127.0.0.1:$port/\"}]"
policy 2 "$web_source"
# Scans go on and on during the activation: each must be answered, with the old rules or the new.
(
  scans=0
  while [ ! -e "$work/enough" ]; do
    ctl --json scan "$data/samples/server-log.txt" >"$work/scan.out" 2>&1 || [ $? -eq 4 ] || { cat "$work/scan.out" >"$work/gap"; break; }
    scans=$((scans + 1))
    echo $scans >"$work/scans"
  done
) &
scanning=$!
ctl update run
touch "$work/enough"
wait $scanning
[ ! -e "$work/gap" ] || die "a scan was not answered during the activation: $(cat "$work/gap")"
say "$(cat "$work/scans") scans were answered meanwhile, none without rules."
say "The new rules find one more:"
expect 4 ctl scan "$data/samples"

step "5. A tampered repository is refused"
cp -r "$work/publisher/repository" "$work/tampered"
release 3 r3 r3-light >/dev/null 2>&1
cp -r "$work/publisher/repository/." "$work/tampered/"
for target in "$work"/tampered/targets/yara-rules/full/*.3.*; do printf 'X' | dd of="$target" bs=1 seek=100 conv=notrunc status=none; done
policy 3 "[{\"name\": \"tampered\", \"plugin\": \"org.picket.source-folder\", \"location\": \"$work/tampered\"}]"
expect 1 ctl update run
ctl component list
policy 4 "$web_source"

