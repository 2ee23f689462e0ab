#!/bin/bash
# The whole life of a repository with picket-repo: keys, releases, signing apart, rotation, expiry; and each command once with a mistake.
set -u
repo=$PICKET_BIN/picket-repo
# In memory where there is such a place: thousands of fsyncs prove nothing here.
place=${TMPDIR:-/tmp}; [ -w /dev/shm ] && place=/dev/shm
work=$(mktemp -d "$place/picket-repo-life.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export PICKET_REPO=$work/publisher
unset PICKET_KEY_PASSPHRASE
failures=0 checks=0

complain() {
  failures=$((failures + 1))
  echo "FAILED: $1"
  sed 's/^/    /' "$work/out" "$work/err" | head -20
}
# ok [--says TEXT] ARGUMENTS...: status 0, and TEXT in what it prints.
ok() {
  local text=""
  if [ "$1" = --says ]; then text=$2; shift 2; fi
  checks=$((checks + 1))
  timeout 60 "$repo" "$@" >"$work/out" 2>"$work/err" </dev/null
  local status=$?
  [ $status -eq 0 ] || complain "picket-repo $* ended with $status"
  [ -z "$text" ] || grep -qF -- "$text" "$work/out" || complain "picket-repo $* does not say \"$text\""
}
# refuses STATUS TEXT ARGUMENTS...: that status, TEXT on standard error, and one line of it (or $lines).
refuses() {
  local want=$1 text=$2
  shift 2
  checks=$((checks + 1))
  timeout 60 "$repo" "$@" >"$work/out" 2>"$work/err" </dev/null
  local status=$?
  [ $status -eq "$want" ] || complain "picket-repo $* ended with $status, not $want"
  grep -qF -- "$text" "$work/err" || complain "picket-repo $* does not say \"$text\""
  [ "$(wc -l <"$work/err")" -le "${lines:-1}" ] || complain "picket-repo $* says more than ${lines:-1} lines"
}
tree() { (cd "$PICKET_REPO/repository" && find . -type f -exec sha256sum {} + | sort); }

mkdir -p v1/rules v2/rules light stick-bob stick-carol
echo 'rule one { condition: true }' >v1/rules/one.yar
cp -r v1/rules/one.yar v2/rules/; echo 'rule two { condition: true }' >v2/rules/two.yar
echo 'rule one { condition: true }' >light/one.yar
head -c 100000 /dev/zero >program.bin

# --- help and wrong usage
ok --says "Usage: picket-repo COMMAND" --help
ok --says "picket-repo " --version
refuses 2 'unknown command "frobnicate"' frobnicate
refuses 2 'there are: role list' role frob
for command in init clean discard "key gen" "key import" "key list" add sign publish timestamp "role list" "role keys add" "role keys remove" \
  "role threshold" "role expiry" "role renew" status show verify export "dsse sign" "dsse verify"; do
  # shellcheck disable=SC2086
  ok --says "Examples:" $command --help
  # shellcheck disable=SC2086
  refuses 2 "unrecognised option '--frobnicate'" $command --frobnicate
done
checks=$((checks + 1))
"$repo" >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || complain "picket-repo alone is wrong usage"

# --- init and keys
refuses 1 "is not a publisher's folder" status
refuses 1 'unknown key type "dsa"' init --type dsa
rm -rf "$PICKET_REPO"
refuses 1 "must be like root=NAME" init --key alice
refuses 2 "--now" init --now yesterday
ok --says "New keys in" init
refuses 1 "is a publisher's folder already" init
[ "$(stat -c %a "$PICKET_REPO/keys/root.key.pem")" = 600 ] || complain "private keys are mode 600"
[ "$(stat -c %a "$PICKET_REPO/keys")" = 700 ] || complain "the folder of keys is mode 700"
ok --says "root needs 1 more signature" status
ok key gen --keys stick-bob bob
ok key gen --keys stick-carol --type ecdsa carol
ok key gen --type rsa spare
refuses 1 "exists already" key gen spare
refuses 1 "key name" key gen ../spare
refuses 1 "there is no folder" key gen --keys nowhere dave
refuses 2 "NAME is missing" key gen
refuses 1 "No such file" key import nothing.pem dave
echo garbage >garbage.pem
refuses 1 "not a private key" key import garbage.pem dave
ok key import stick-bob/bob.pub.json bob
ok --says '"schema":"picket.repo.keys/1"' key list --json
ok --says "public" key list
PICKET_KEY_PASSPHRASE=secret ok key gen sealed
grep -q ENCRYPTED "$PICKET_REPO/keys/sealed.key.pem" || complain "PICKET_KEY_PASSPHRASE encrypts new keys"
refuses 1 "is encrypted: set PICKET_KEY_PASSPHRASE" key import "$PICKET_REPO/keys/sealed.key.pem" sealed2
PICKET_KEY_PASSPHRASE=wrong refuses 1 "wrong passphrase" key import "$PICKET_REPO/keys/sealed.key.pem" sealed2
PICKET_KEY_PASSPHRASE=secret ok key import "$PICKET_REPO/keys/sealed.key.pem" sealed2
chmod 644 "$PICKET_REPO/keys/spare.key.pem"
ok key list
grep -q "can be read by others" "$work/err" || complain "a private key that others can read deserves a warning"
chmod 600 "$PICKET_REPO/keys/spare.key.pem"

# --- add, sign, publish
refuses 2 "--component is missing" add --release 1 v1
refuses 2 "--release must be a whole number" add --component yara-rules --release one v1
refuses 2 "--release must be a whole number" add --component yara-rules --release 1.5 v1
refuses 1 "no such file or folder" add --component yara-rules --release 1 v0
refuses 1 "may hold a-z" add --component Yara --release 1 v1
refuses 1 "full or light" add --component yara-rules --variant huge --release 1 v1
refuses 2 "--level must be" add --component yara-rules --release 1 --level 30 v1
ln -s /etc/passwd v1/rules/link
refuses 1 "symbolic link" add --component yara-rules --release 1 v1
rm v1/rules/link
refuses 1 "nothing is published yet" timestamp
ok --says "New component yara-rulse" add --component yara-rulse --release 1 light
ok --says "Thrown away: what was staged for yara-rulse, targets" discard
refuses 1 "nothing is staged but the first root and targets" discard
ok --says "New component yara-rules" add --component yara-rules --variant full --release 1 --version 2026.05.31 v1/
ok add --component yara-rules --variant light --release 1 light
ok --says "Staged my-app/full/7.bin" add --component my-app --class application --release 7 --minimum-agent 0.1.0 --key bob program.bin
refuses 1 "is not newer than release 1" add --component yara-rules --release 1 v1
refuses 1 "signatures are missing" publish
refuses 1 "nothing is staged for snapshot" sign --role snapshot
refuses 1 'no key "nobody"' sign --key nobody
refuses 1 "private half of key bob is not here" sign --key bob
ok --says "Still missing: my-app needs 1 more signature, by bob" sign
refuses 1 "no private key here may give what is missing: my-app" sign
refuses 1 "my-app needs 1 more signature, by bob" publish
refuses 1 "folder of keys nowhere" sign --keys nowhere
ok --says "All that is staged is signed" sign --keys stick-bob
ok --says "picket-repo publish" status
ok --says "Published" publish
refuses 1 "nothing is staged" publish
refuses 1 "nothing is staged" sign
ok --says "3 releases" verify
ok --says "yara-rules" show
ok --says '"state":"published"' show --json yara-rules
refuses 1 "there is no component nothing" show nothing
ok --says "nothing" status
ok --says '"schema":"picket.repo.status/1"' status --json

# --- the same folder gives the same bytes; every published file stays as it was
before=$(tree)
ok add --component yara-rules --variant full --release 2 --keep 5 v2
ok sign
ok publish
[ -z "$(comm -23 <(echo "$before" | grep -v timestamp.json) <(tree))" ] || complain "a publish changed or removed a file that was published"
ok --says "4 releases" verify

# --- rotation: each role's key in turn
for role in root targets snapshot timestamp yara-rules; do
  ok key gen "new-$role"
  refuses 1 "no key" role keys add $role missing
  ok --says "Staged" role keys add $role "new-$role"
  refuses 1 "is a key of $role already" role keys add $role "new-$role"
  old=$role; [ $role = yara-rules ] && old=targets
  ok --says "Staged" role keys remove $role $old
  [ $role != targets ] || grep -q "This key may still sign: yara-rules" "$work/out" || complain "a key that was taken away from targets still signs components, and nobody says so"
  refuses 1 "would have 0 left" role keys remove $role "new-$role"
  ok --says "All that is staged is signed" sign
  ok publish
  ok --says "Good" verify
done
ok --says "new-root" role list
ok --says '"schema":"picket.repo.roles/1"' role list --json
refuses 1 "there is no role or component nobody" role keys add nobody spare
refuses 2 "unexpected argument" role keys remove root a b

# --- threshold 2 of 3, signers apart
refuses 1 "must be 1 to 1" role threshold targets 2
refuses 2 "the threshold must be a whole number" role threshold targets 0
ok role keys add targets bob
ok role keys add targets stick-carol/carol.pub.json
ok role threshold targets 2
ok --says "Still missing: targets needs 1 more signature" sign
refuses 1 "targets needs 1 more signature" publish
ok --says "targets: signed by carol" sign --keys stick-carol
ok publish
ok --says "Good" verify
refuses 1 'no key "0123456789abcdef"' role keys remove targets 0123456789abcdef

# --- expiry
refuses 2 "the time must be a whole number" role expiry timestamp soon
ok role expiry timestamp 36h
refuses 1 "there is no role or component nobody" role expiry nobody 5
refuses 1 "is renewed by picket-repo timestamp" role renew snapshot
later=$(date -u -d '+10 days' +%Y-%m-%dT%H:%M:%SZ)
refuses 1 "timestamp version" verify --now "$later"
grep -q expired "$work/err" || complain "an expired timestamp is called expired"
ok --says "EXPIRED" status --now "$later"
ok --says "Published timestamp" timestamp --now "$later"
ok --says "Good" verify --now "$later"
much_later=$(date -u -d '+400 days' +%Y-%m-%dT%H:%M:%SZ)
refuses 1 "clients would refuse this" timestamp --now "$much_later"
grep -q "root version .* expired" "$work/err" || complain "it says which role has expired"
ok role renew root targets yara-rules my-app --now "$much_later"
ok sign --now "$much_later" --keys stick-bob --keys stick-carol
ok publish --now "$much_later"
ok --says "Good" verify --now "$much_later"
refuses 1 "unknown" role renew unknown --now "$much_later"

# --- one at a time, and no lost output
checks=$((checks + 1))
flock "$PICKET_REPO/.lock" "$repo" timestamp >"$work/out" 2>"$work/err"
[ $? -eq 1 ] && grep -q "another picket-repo is working" "$work/err" || complain "a second publisher is refused"
checks=$((checks + 1))
"$repo" show >/dev/full 2>"$work/err"
[ $? -eq 1 ] && grep -q "cannot write the output" "$work/err" || complain "a full output is a failure"
# As on a full disk: a file that cannot grow. One line names it, and nothing of it stays.
checks=$((checks + 1))
head -c 300000 /dev/urandom >large.bin
files() { find "$PICKET_REPO" -type f | sort; }
before=$(files)
(trap '' XFSZ; ulimit -f 100; exec "$repo" add --component yara-rules --release 90 large.bin) >"$work/out" 2>"$work/err"
[ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q "^picket-repo add: $PICKET_REPO/staged/.*yara-rules/full/.*: File too large$" "$work/err" || complain "a release that does not fit on the disk is refused by its file's name"
[ "$(files)" = "$before" ] || complain "what did not fit leaves nothing behind"

# --- a copy, checked as an agent would, from a root of its own
cp -r "$PICKET_REPO/repository" copy
cp copy/metadata/1.root.json first-root.json
ok --says "Good" verify --root first-root.json --now "$much_later" copy
ok --says '"good":true' verify --json --now "$much_later" copy
target=$(find copy/targets/yara-rules -name '*.2.tar.zst')
printf X | dd of="$target" bs=1 seek=20 conv=notrunc status=none
lines=2 refuses 1 "1 file of this repository cannot be used" verify --now "$much_later" copy
grep -q "^Problem: .*2.tar.zst" "$work/err" || complain "it names the target that is broken"
ok --says "Good" verify --metadata-only --now "$much_later" copy
cp -r copy/metadata kept
: >"$(ls -v copy/metadata/*.targets.json.gz | tail -1)"
lines=2 refuses 1 "1 file of this repository cannot be used" verify --metadata-only --now "$much_later" copy
grep -q "^Problem: .*targets.json.gz.* timestamp packs it anew" "$work/err" || complain "it names the packed metadata that are wrong, and what mends them"
rm copy/metadata/*.gz
ok --says "No metadata lie packed here" verify --metadata-only --now "$much_later" copy
rm -r copy/metadata
mv kept copy/metadata
sed -i 's/"length":/"length":9/' copy/metadata/*.yara-rules.json
refuses 1 "yara-rules" verify --now "$much_later" copy
refuses 1 "holds no repository" verify nowhere
refuses 1 "No such file" verify --root nowhere.json copy
"$repo" key gen --keys stick-bob stranger >/dev/null
PICKET_REPO=$work/other "$repo" init >/dev/null && PICKET_REPO=$work/other "$repo" sign >/dev/null && PICKET_REPO=$work/other "$repo" publish >/dev/null
cp "$work/other/repository/metadata/1.root.json" other-root.json
refuses 1 "root" verify --root other-root.json --now "$much_later" "$PICKET_REPO/repository"

# --- one release kept: no delta can start from it, which is said
PICKET_REPO=$work/other ok add --component rules --release 1 v1
PICKET_REPO=$work/other ok --says "No deltas: --keep 1 leaves no earlier release" add --component rules --release 2 --keep 1 v2
PICKET_REPO=$work/other ok add --component rules --release 3 --keep 1 --deltas 0 v1
! grep -q "No deltas" "$work/out" || complain "whoever wants no deltas need not hear of it"

# --- export: what a removable drive carries
ok --says "an update source as it is" export --now "$much_later" yara-rules "$work/stick-export"
TMPDIR=$work/none refuses 1 "no folder for temporary files (TMPDIR)" export --now "$much_later" yara-rules "$work/stick-none"
TMPDIR=$work/none refuses 1 "no folder for temporary files (TMPDIR)" verify --now "$much_later"
refuses 1 "the repository offers no component colours" export --now "$much_later" colours "$work/stick-none"
refuses 1 "is neither a component's name nor a file about a device" export "two words" "$work/stick-none"
refuses 1 "is no repository, and is left alone" export --now "$much_later" yara-rules "$work/v1"
refuses 1 "lies in a publisher's own folder" export --now "$much_later" yara-rules "$PICKET_REPO/repository"
refuses 1 "is a repository without picket-export.txt" export --now "$much_later" yara-rules copy
refuses 2 "is neither full nor light" export --variant dark yara-rules "$work/stick-none"
refuses 2 "FOLDER is missing" export yara-rules
echo '{"data":{"components":[{"component":"yara-rules","wanted_variant":"full","demanded_by":["x"]}]}}' >pc-7.json
ok --says "yara-rules full: release" export --now "$much_later" pc-7.json "$work/stick-export"
echo '{}' >pc-7.json
refuses 1 "pc-7.json: not what picketctl component list --json prints" export pc-7.json "$work/stick-none"

# --- clean
refuses 2 "--older-than must be" clean --older-than never
ok --says "Removed 0 files" clean
ok --says "Removed" clean --older-than 0
ok --says "Good" verify --now "$much_later"
[ -e "$PICKET_REPO/repository/metadata/1.root.json" ] || complain "all roots stay"
[ ! -e "$PICKET_REPO/repository/metadata/1.snapshot.json" ] || complain "superseded snapshots go"
for packed in "$PICKET_REPO"/repository/metadata/*.json.gz; do
  gzip -dc "$packed" | cmp -s - "${packed%.gz}" || complain "$packed is what lies beside it"
done

# --- DSSE
type=application/vnd.picket.policy+json
echo '{"policy": 1}' >policy.json
refuses 2 "--key is missing" dsse sign --type $type policy.json
refuses 2 "--type is missing" dsse sign --key stick-bob/bob.key.pem policy.json
refuses 1 "No such file" dsse sign --type $type --key stick-bob/bob.key.pem nothing.json
ok dsse sign --type $type --key stick-bob/bob.key.pem --out one.json policy.json
"$repo" dsse sign --type $type --key stick-bob/bob.key.pem policy.json >stdout.json
cmp -s one.json stdout.json || complain "dsse sign --out writes what standard output gets"
ok --says "Good signature by" dsse verify --type $type --key stick-bob/bob.pub.json one.json
ok --says '{"policy": 1}' dsse verify --type $type --trust stick-bob --payload one.json
refuses 1 "is of type" dsse verify --type application/vnd.picket.plugin+json --key stick-bob/bob.pub.json one.json
refuses 1 "signed by 0 of the trusted keys" dsse verify --type $type --key stick-carol/carol.pub.json one.json
refuses 1 "needs 2" dsse verify --type $type --trust stick-bob --trust stick-carol --threshold 2 one.json
ok dsse sign --add --type $type --key stick-carol/carol.key.pem --out two.json one.json
ok dsse verify --type $type --trust stick-bob --trust stick-carol --threshold 2 two.json
refuses 1 "not acceptable JSON" dsse verify --type $type --trust stick-bob garbage.pem
refuses 2 "--key or --trust is missing" dsse verify --type $type one.json

if [ $failures -gt 0 ]; then
  echo "$failures of $checks checks failed"
  exit 1
fi
echo "$checks checks passed"
