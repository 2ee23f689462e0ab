#!/usr/bin/env bash
# picket-ksn from init to stats, as an administrator uses it.
set -euo pipefail
ksn="$PICKET_BIN/picket-ksn"
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }; rm -rf "$folder"' EXIT
expect() { # expect TEXT COMMAND...: its output holds TEXT
  local text=$1 out; shift
  out=$("$@" 2>&1) || { echo "failed: $*"; echo "$out"; exit 1; }
  grep -qF -- "$text" <<<"$out" || { echo "$*: no '$text' in:"; echo "$out"; exit 1; }
}
refuse() { # refuse STATUS TEXT COMMAND...
  local status=$1 text=$2 out got=0; shift 2
  out=$("$@" 2>&1) || got=$?
  [ "$got" = "$status" ] || { echo "$*: status $got instead of $status: $out"; exit 1; }
  grep -qF -- "$text" <<<"$out" || { echo "$*: no '$text' in:"; echo "$out"; exit 1; }
  [ "$(wc -l <<<"$out")" -le 2 ] || { echo "$*: more than a line: $out"; exit 1; }
}
a=$(printf 'a%.0s' {1..64}) b=$(printf 'b%.0s' {1..64})
expect "Usage" "$ksn" --help
for command in run init import remove licence provider key show stats; do
  expect "Usage: picket-ksn $command" "$ksn" $command --help
  [ "$("$ksn" help $command)" = "$("$ksn" $command --help)" ]
  grep -Eq "^\.BR? (.* \", \" )?$command\b" "$PICKET_SOURCE/installer/man/picket-ksn.1" || { echo "picket-ksn.1 does not name $command"; exit 1; }
done
if "$ksn" --help | grep -E '^.{101}'; then echo "picket-ksn --help: too wide"; exit 1; fi
refuse 2 "unknown command 'nonsense'" "$ksn" help nonsense
refuse 2 "unknown command" "$ksn" nonsense
refuse 2 "one FOLDER" "$ksn" init
refuse 2 "an empty name" "$ksn" run ""
refuse 2 "an empty name" "$ksn" key rotate --ksn ""
expect "Made a private KSN" "$ksn" init "$folder/k" --name "Example's KSN" --contact ksn@example.org --server https://127.0.0.1:13999
refuse 1 "holds a KSN already" "$ksn" init "$folder/k"
refuse 2 "--server: 'http://127.0.0.1:13999' is not https://HOST:PORT" "$ksn" init "$folder/plain" --server http://127.0.0.1:13999
[ ! -e "$folder/plain" ]
expect "picket-ksn run '$folder/it'\\''s mine'" "$ksn" init "$folder/it's mine"
refuse 1 "the options of init change nothing" "$ksn" run "$folder/k" --port 13998 --picketd /nonexistent/picketd
refuse 2 "not UTF-8" "$ksn" init "$folder/"$'\xff'
refuse 2 "FOLDER: '#' and line breaks" "$ksn" init "$folder/k#2"
[ ! -e "$folder/"$'\xff' ]
(cd "$folder" && "$ksn" init own --certificate k/tls/server.pem --key k/tls/server.key >/dev/null)
grep -qF "\"certificate\":\"$folder/k/tls/server.pem\"" "$folder/own/settings/org.picket.ksn-service.json"
for store in redis: redis:localhost redis:localhost:99999 redis://localhost:7000 "redis:localhost:7000,localhost"; do
  refuse 2 "HOST:PORT" "$ksn" init "$folder/no-store" --store "$store"
done
[ ! -e "$folder/no-store" ]
"$ksn" init "$folder/cluster" --store "redis:[::1]:7000,localhost:7001" >/dev/null
refuse 2 "belong together" "$ksn" init "$folder/half" --certificate "" --key "$folder/k/tls/server.key"
expect "Example's KSN" "$ksn" provider show "$folder/k/provider.json" --trust "$folder/k/provider.pub.json"
refuse 1 "signed by 0 of the trusted keys" "$ksn" provider show "$folder/k/provider.json" --trust "$folder/k/answers.pub.json"
expect "ed25519" "$ksn" key show "$folder/k/answers.pub.json"

# A new answer key: named, used, the old one forgotten.
refuse 1 "picket-ksn key rotate comes first" "$ksn" key change --ksn "$folder/k"
refuse 2 "usage: picket-ksn key" "$ksn" key rotate
refuse 2 "--at-once is yes or no" "$ksn" key retire --at-once maybe --ksn "$folder/k"
refuse 2 "--at-once is for key retire, not for key rotate" "$ksn" key rotate --at-once yes --ksn "$folder/k"
expect "give clients and proxies $folder/k/provider.json" "$ksn" key rotate --ksn "$folder/k"
[ "$("$ksn" provider show "$folder/k/provider.json" --trust "$folder/k/provider.pub.json" | grep -c "Answer key")" = 2 ]
expect "Answers are signed by" "$ksn" key change --ksn "$folder/k"
refuse 1 "may still repeat answers of the former key, for 25 h" "$ksn" key retire --ksn "$folder/k"
expect "Retired" "$ksn" key retire --at-once yes --ksn "$folder/k"
[ "$("$ksn" provider show "$folder/k/provider.json" --trust "$folder/k/provider.pub.json" | grep -c "Answer key")" = 1 ]

printf '# IOCs\n%s;Test.Threat\nd41d8cd98f00b204e9800998ecf8427e;md5\nevil.example\n' "$a" >"$folder/iocs.txt"
printf 'sha256,verdict,publisher,signature_state,trust_group\n%s,trusted,Example,valid,low-restricted\n' "$b" >"$folder/good.csv"
printf '{"name":"Top","type":"hostname","list":["example.com"]}' >"$folder/list.json"
expect "2 objects (1 file, 1 address, 0 software), 1 other digest not used (MD5, SHA-1" "$ksn" import "$folder/iocs.txt" --verdict untrusted --category malware --ksn "$folder/k"
expect "1 object (" "$ksn" import "$folder/good.csv" "$folder/list.json" --ksn "$folder/k"
printf 'one.example\nnonsense\nmore nonsense\n' >"$folder/half.txt"
: >"$folder/empty.txt"
printf 'd41d8cd98f00b204e9800998ecf8427e;md5\n68b329da9893e34099c7d8ad5cb9c940;md5\n%s;Test.Threat\n' "$a" >"$folder/mostly-md5.txt"
expect "1 object (1 file, 0 addresses, 0 software), 2 other digests not used" "$ksn" import "$folder/mostly-md5.txt" --verdict untrusted --category malware --ksn "$folder/k"
long="$folder/$(printf 'l%.0s' {1..63})ä.txt"
printf '%s\n' "${a%a}c" >"$long"
expect "1 object (" "$ksn" import "$long" --verdict untrusted --ksn "$folder/k"
refuse 1 "not enough of them" "$ksn" import "$folder/half.txt" --verdict untrusted --ksn "$folder/k"
refuse 1 "0 objects (0 files, 0 addresses, 0 software): the list is empty" "$ksn" import "$folder/empty.txt" --verdict untrusted --ksn "$folder/k"
refuse 1 "not enough of them" "$ksn" import "$folder/iocs.txt" --strict --verdict untrusted --category malware --ksn "$folder/k"
refuse 1 "no verdict" "$ksn" import "$folder/iocs.txt" --ksn "$folder/k"
refuse 2 "--verdict: 'bad'" "$ksn" import "$folder/iocs.txt" --verdict bad --ksn "$folder/k"
refuse 1 "$folder/none" "$ksn" import "$folder/none" --verdict trusted --ksn "$folder/k"
refuse 1 "there is none: picket-ksn init makes it" "$ksn" stats --store "$folder/nowhere"
expect "untrusted  category: malware  threat: Test.Threat" "$ksn" show "$a" --ksn "$folder/k"
expect "trusted  publisher: Example  trust group: low-restricted  signature: valid" "$ksn" show "$b" --ksn "$folder/k"
expect "(by evil.example/)  address  untrusted" "$ksn" show "http://www.evil.example/x?y" --ksn "$folder/k"
expect "unknown" "$ksn" show "${a%a}b" --ksn "$folder/k"
# A list is anybody's: what it says is shown in one line, and commands no terminal.
printf 'sha256,verdict,name\n%s,untrusted,"red \033[31m\nline"\n\033[31m,untrusted,x\n' "${a%a}d" >"$folder/esc"$'\n'"ape.csv"
expect "esc ape.csv: 1 object (" "$ksn" import "$folder/esc"$'\n'"ape.csv" --ksn "$folder/k"
expect "threat: red  [31m line" "$ksn" show "${a%a}d" --ksn "$folder/k"
expect "1 of 1 removed" "$ksn" remove "${a%a}d" --ksn "$folder/k"
expect "1 of 1 removed" "$ksn" remove "$b" --ksn "$folder/k"
expect "unknown" "$ksn" show "$b" --ksn "$folder/k"
refuse 1 "of 'www.evil.example' itself nothing was known" "$ksn" remove www.evil.example --ksn "$folder/k"
printf 'publisher,product,verdict\nExample,Tool,trusted\n' >"$folder/software.csv"
"$ksn" import "$folder/software.csv" --ksn "$folder/k" >/dev/null
expect "1 of 1 removed" "$ksn" remove --publisher Example --product Tool --ksn "$folder/k"
expect "unknown" "$ksn" show --publisher Example --product Tool --ksn "$folder/k"
for command in remove show; do
  refuse 2 "--product: needs --publisher" "$ksn" $command "$a" --product Tool --ksn "$folder/k"
  refuse 2 "--publisher: is empty" "$ksn" $command --publisher "" --ksn "$folder/k"
done

expect "L-1  known  until 2099-12-31T23:59:59Z  Example" "$ksn" licence add L-1 --until 2099-12-31 --holder Example --ksn "$folder/k"
expect "L-1  blocked" "$ksn" licence block L-1 --ksn "$folder/k"
expect "L-1  blocked  until 2099-11-30" "$ksn" licence add L-1 --until 2099-11-30 --ksn "$folder/k"
expect "L-1  known" "$ksn" licence unblock L-1 --ksn "$folder/k"
expect "L-2  expired" "$ksn" licence add L-2 --until 2001-01-01 --ksn "$folder/k"
refuse 2 "without control characters" "$ksn" licence add $'L\n3' --ksn "$folder/k"
refuse 2 "without control characters" "$ksn" licence add L-3 --holder $'E\e[31m' --ksn "$folder/k"
refuse 1 "licence L-9 is not known" "$ksn" licence block L-9 --ksn "$folder/k"
[ "$("$ksn" licence list --ksn "$folder/k" | wc -l)" = 2 ]
expect "Licences   2" "$ksn" stats --ksn "$folder/k"
expect "Files      2" "$ksn" stats --ksn "$folder/k"
refuse 2 "'L-1' is too much" "$ksn" stats L-1 --ksn "$folder/k"

# With one command: what is missing is made, then picketd is started with it.
printf '#!/bin/sh\necho started "$@"\n' >"$folder/picketd" && chmod +x "$folder/picketd"
expect "started --config $folder/second/picketd.conf" "$ksn" run "$folder/second" --picketd "$folder/picketd"
expect "started --config $folder/second/picketd.conf" "$ksn" run "$folder/second" --picketd "$folder/picketd"
refuse 1 "start /nonexistent/picketd" "$ksn" run "$folder/second" --picketd /nonexistent/picketd
# A backup that is put back is the KSN again; elsewhere it would serve what is left at the old place.
cp -a "$folder/second" "$folder/backup"
refuse 1 "$folder/backup/picketd.conf is of a KSN in $folder/second" "$ksn" run "$folder/backup" --picketd "$folder/picketd"
rm -r "$folder/second"
refuse 1 "is of a KSN in $folder/second" "$ksn" run "$folder/backup" --picketd "$folder/picketd"
mv "$folder/backup" "$folder/second"
ln -s second "$folder/link"
expect "started --config $folder/link/picketd.conf" "$ksn" run "$folder/link" --picketd "$folder/picketd"

# The real one: an isolated service that is asked over HTTPS, certificate checked.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$ksn" run "$folder/real" --name "Real KSN" --server "https://127.0.0.1:$port" --listen 127.0.0.1 -- \
  --plugin-dir "$PICKET_BUILD/plugins" --plugin-keys "$PICKET_BUILD/devkey" >"$folder/picketd.log" 2>&1 &
pid=$!
said() { curl -s --cacert "$folder/real/tls/authority.pem" --data-binary "@$folder/asker" "https://127.0.0.1:$port/ksn/v1/$1" -o "$folder/answer" -w '%{http_code}' || :; }
: >"$folder/asker"
until [ "$(said hello)" != 000 ]; do
  kill -0 "$pid" 2>/dev/null || { tail -n 20 "$folder/picketd.log"; echo "picketd ended"; exit 1; }
  [ $SECONDS -lt 100 ] || { tail -n 20 "$folder/picketd.log"; echo "no answer"; exit 1; }
  sleep 0.1
done
# A question without a licence is refused, and so is a greeting: who is greeted would be answered.
[ "$(said ask)" = 403 ]
grep -q "this KSN needs a licence" "$folder/answer"
[ "$(said hello)" = 403 ]
# While it runs, the store can be filled.
expect "1 object (" "$ksn" import "$folder/good.csv" --ksn "$folder/real"
expect "L-1  known" "$ksn" licence add L-1 --ksn "$folder/real"
printf '\n\005\n\003L-1' >"$folder/asker"  # HelloRequest and AskRequest alike: asker.licence
[ "$(said hello)" = 200 ]
grep -q "Real KSN" "$folder/answer"
# A private KSN, and nothing else.
for plugin in "$PICKET_BUILD"/plugins/org.picket.*; do
  id=${plugin##*/}
  [ "$id" = org.picket.ksn-service ] || grep -qx "disabled = $id" "$folder/real/picketd.conf" || { echo "$id is started for nothing"; exit 1; }
done
echo ok
