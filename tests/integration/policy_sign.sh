#!/bin/sh
# The commands of config/policy/README.md: a key, a signature, and that it verifies (and a changed document does not).
set -eu
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cp "$PICKET_SOURCE/config/policy/example.json" .
mkdir keys
repo="$PICKET_BIN/picket-repo"
steps="$(sed -n 's/^    \(picket-repo .*\)/\1/p' "$PICKET_SOURCE/config/policy/README.md" | sed 's/ *#.*//')"
[ "$(printf '%s\n' "$steps" | wc -l)" -eq 2 ] || { echo "the README has other commands than this test knows: $steps"; exit 1; }
printf '%s\n' "$steps" | while read -r _ rest; do
  # shellcheck disable=SC2086
  "$repo" $rest < /dev/null
done
"$repo" dsse verify --type application/vnd.picket.policy+json --key keys/policy.pub.json --payload policy.dsse.json | cmp - example.json
sed 's/"payload": *"\(.\)/"payload":"X/' policy.dsse.json > bad.json
if "$repo" dsse verify --type application/vnd.picket.policy+json --key keys/policy.pub.json bad.json 2> error; then
  echo "a changed document was accepted"; exit 1
fi
