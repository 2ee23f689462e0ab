# Sourced by installer/demo: an organisation's own KSN, asked through a proxy and only with consent, and cloud mode that stands on it.

step "6. A private KSN with one command, and a KSN proxy before it"
free_port ksn_port
free_port ksn_proxy_port
"$bin/picket-ksn" init "$work/ksn" --name "Example's KSN" --contact security@example.org --server "https://127.0.0.1:$ksn_port" --listen 127.0.0.1
say "It is filled from public lists of bad files (files of this demo play 80 of them):"
mkdir "$work/lists" "$work/files"
number=0
while read -r trail; do
  number=$((number + 1))
  printf %s "$trail" >"$work/files/sample$number"
  printf '%s;%s\n' "$(sha256sum <"$work/files/sample$number" | cut -d' ' -f1)" "$trail"
done <"$data/digests/trails.txt" >"$work/lists/trails.txt"
"$bin/picket-ksn" import "$data/digests/hash-iocs.txt" "$work/lists/trails.txt" --verdict untrusted --kind file --category malware --ksn "$work/ksn"
"$bin/picket-ksn" licence add L-DEMO --until 2099-12-31 --ksn "$work/ksn"
start_ksn() {
  "$bin/picket-ksn" run "$work/ksn" -- --plugin-dir "$out/plugins" --plugin-keys "$out/devkey" </dev/null >>"$work/ksn.out" 2>&1 &
  ksn_pid=$!
  others+=("$ksn_pid")
  wait_for "the private KSN" bash -c "exec 3<>/dev/tcp/127.0.0.1/$ksn_port"
}
end_ksn() {
  local other left=()
  kill "$ksn_pid" && wait "$ksn_pid" || true
  for other in "${others[@]}"; do [ "$other" = "$ksn_pid" ] || left+=("$other"); done
  others=("${left[@]}")
}
start_ksn
mkdir -p "$work/trust/ksn" "$work/site/ksn-proxy/settings"
cp "$work/ksn/provider.pub.json" "$work/trust/ksn/"
cat >"$work/site/ksn-proxy/settings/org.picket.ksn-proxy.json" <<JSON
{"enabled": true, "address": "127.0.0.1", "port": $ksn_proxy_port, "names": ["127.0.0.1"], "folder": "$work/site/ksn-proxy/ksn",
 "provider_file": "$work/ksn/provider.json", "provider_keys": "$work/trust/ksn"}
JSON
another ksn-proxy org.picket.ksn-proxy
wait_for "the KSN proxy" bash -c "exec 3<>/dev/tcp/127.0.0.1/$ksn_proxy_port"
# with_ksn REVISION LICENCE: the policy that names the provider, the proxy and the licence.
with_ksn() {
  policy "$1" "$web_source" ", \"org.picket.ksn-client\": {\"settings\": {\"provider_file\": \"$work/ksn/provider.json\", \"provider_keys\": \"$work/trust/ksn\",
    \"licence\": \"$2\", \"proxy\": \"127.0.0.1:$ksn_proxy_port\", \"proxy_certificate\": \"$work/site/ksn-proxy/ksn/tls/server.pem\", \"fallback_resolvers\": [],
    \"rest_seconds\": 1, \"folder\": \"$work/ksn-client\", \"statements_folder\": \"$root/installer/statements\"}}"
}
ksn_says() { ctl ksn status | grep -qF "$1"; }

step "7. Nothing is asked before the user agrees"
with_ksn 5 L-DEMO
wait_for "the KSN client" ksn_says "Disabled"
ctl ksn status
expect 5 ctl ksn check "$work/files/sample1"
ctl ksn statement show | sed -n 1,12p
ctl ksn statement accept
say "A file that KSN knows, and one that it does not know, asked through the proxy:"
expect 4 ctl ksn check "$work/files/sample1" "$data/samples/letter.txt"
ctl ksn status
at ksn-proxy ksn proxy status
say "What was sent, to the letter:"
ctl ksn last-sent | sed -n 1,20p

step "8. The databases can relieve KSN: a release stops the questions until a date"
mkdir "$work/directives"
# directives RELEASE JSON: publishes a release of ksn-directives, and brings it.
directives() {
  rm -f "$work/directives/directives.json"
  printf '%s\n' "$2" >"$work/directives/directives.json"
  repo add --repo "$work/publisher" --component ksn-directives --release "$1" "$work/directives" >/dev/null
  repo sign --repo "$work/publisher" >/dev/null
  repo publish --repo "$work/publisher" >/dev/null
  ctl update run >/dev/null
}
directives 1 "{\"directives\": 1, \"mode\": \"stopped\", \"until\": \"$(date -u -d '+1 day' +%FT%TZ)\", \"reason\": \"the servers are moved\"}"
wait_for "the restriction" ksn_says "Enabled with restrictions"
ctl ksn status
directives 2 '{"directives": 1, "mode": "normal"}'
wait_for "the end of the restriction" bash -c "! '$bin/picketctl' --socket '$socket' ksn status | grep -qF restrictions"

step "9. A licence that the private KSN does not know is refused, and the status says so"
with_ksn 6 L-NOBODY
expect 5 ctl ksn check "$data/samples/server-log.txt"
wait_for "the refusal" ksn_says "Not available"
ctl ksn status
with_ksn 7 L-DEMO
ksn_answers() { ctl ksn connection; }
wait_for "the connection" ksn_answers

step "10. Cloud mode: light databases find what the full ones find, because KSN stands behind them"
mkdir "$work/late"  # five more bad files, which nobody asks about before KSN is away
for number in 1 2 3 4 5; do
  printf 'late %s' $number >"$work/late/late$number"
  printf '%s;Demo.Late%s\n' "$(sha256sum <"$work/late/late$number" | cut -d' ' -f1)" $number
done >"$work/lists/late.txt"
"$bin/picket-ksn" import "$work/lists/late.txt" --verdict untrusted --kind file --category malware --ksn "$work/ksn"
for variant in full light; do
  digests make --variant $variant "$data/digests/hash-iocs.txt" "$work/lists/trails.txt" "$work/lists/late.txt" "$work/lists/$variant"
  repo add --repo "$work/publisher" --component digests --variant $variant --release 1 "$work/lists/$variant"
done
repo sign --repo "$work/publisher" >/dev/null
repo publish --repo "$work/publisher" >/dev/null
# scan_finds_all WHICH: every one of the 80 files is found.
scan_finds_all() {
  local found
  found=$(expect 4 ctl scan "$work/files")
  say "The $1 find:  $(tail -n 1 <<<"$found")"
  mention "80 findings" "$found"
}
# size_of VARIANT: on disk, and in the scanner's memory, where the kernel lets us look.
size_of() {
  local pid memory
  pid=$(ctl --json plugin info org.picket.scanner | grep -o '"pid": *[0-9]*' | head -n 1 | grep -o '[0-9]*$')
  memory=$(awk '/\/digests\./ { mapped = 1 } mapped && /^Rss:/ { kb += $2; mapped = 0 } END { print kb + 0 }' "/proc/$pid/smaps" 2>/dev/null) || memory="an unknown number of"
  say "The $1 databases of this sample take $(stat -c %s "$work/lists/$1/digests.$1") bytes on disk, $memory kB of the scanner's memory. Whole lists: tests/bench/README.md"
}
pending() { ctl --json status | grep -q '"change_pending": *true'; }
ctl ksn disable
ctl update run
scan_finds_all "full databases, without KSN,"
size_of full
ctl ksn enable
wait_for "the pending change" pending
ctl status
ctl update run
ctl component list
scan_finds_all "light ones, with KSN,"
size_of light
say "What is lost while KSN cannot be reached: files that it would call bad are suspected, not found. The status says so:"
end_ksn
mention "5 files are suspected, not confirmed" "$(expect 5 ctl scan "$work/late")"
lost_is_said() { ctl status | grep -qF "suspected, not confirmed"; }
wait_for "the word in the status" lost_is_said
ctl status
start_ksn
wait_for "the connection" ksn_answers
late_are_found() { (expect 4 ctl scan "$work/late"); }
wait_for "KSN's answers" late_are_found
say "KSN is back:  $(expect 4 ctl scan "$work/late" | tail -n 1)"
say "And back, when the user switches KSN off:"
ctl ksn disable
wait_for "the pending change" pending
ctl update run
scan_finds_all "full databases"
end_others

