#!/bin/sh
# Every program says what it is for and which version it is; an option that it does not know gets one line that names it.
set -eu
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
fail() { echo "$*: $(cat "$scratch/out" "$scratch/err")"; exit 1; }
run() { "$PICKET_BIN/$1" "$2" > "$scratch/out" 2> "$scratch/err" < /dev/null; }

version="$("$PICKET_BIN/picketd" --version | cut -d' ' -f2)"
for tool in picketd picketctl picket-repo picket-plugin-check picket-plugin-pack picket-digests picket-plugin-host; do
  run $tool --help || fail "$tool --help"
  grep -qi usage "$scratch/out" || fail "$tool --help is no help"
  run $tool --version || fail "$tool --version"
  [ "$(cat "$scratch/out")" = "$tool $version" ] || fail "$tool --version"
done
for tool in picketd picketctl picket-plugin-check picket-plugin-pack picket-digests picket-tuf-client; do
  if run $tool --bogus; then fail "$tool --bogus was accepted"; fi
  [ "$(wc -l < "$scratch/err")" -eq 1 ] || fail "$tool --bogus: not one line"
  grep -Eq "(unknown|unrecognised) option '?--bogus" "$scratch/err" || fail "$tool --bogus is not named"
done
if run picket-tuf-client --metadata-dir; then fail "an option without its value was accepted"; fi
grep -q "option --metadata-dir needs a value" "$scratch/err" || fail "picket-tuf-client --metadata-dir"
