#!/bin/sh
# Every program says what it is for and which version it is; an option that it does not know gets one line that names it.
set -eu
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
fail() { echo "$*: $(cat "$scratch/out" "$scratch/err")"; exit 1; }
run() { "$PICKET_BIN/$1" "$2" > "$scratch/out" 2> "$scratch/err" < /dev/null; }

version="$("$PICKET_BIN/picketd" --version | cut -d' ' -f2)"
for tool in picketd picketctl picket-repo picket-plugin-check picket-plugin-pack picket-digests picket-plugin-host picket-ksn picket-launcher; do
  run $tool --help || fail "$tool --help"
  grep -qi usage "$scratch/out" || fail "$tool --help is no help"
  run $tool --version || fail "$tool --version"
  [ "$(cat "$scratch/out")" = "$tool $version" ] || fail "$tool --version"
done
for tool in picketd picketctl picket-repo picket-plugin-check picket-plugin-pack picket-digests picket-ksn picket-tuf-client picket-launcher; do
  if run $tool --bogus; then fail "$tool --bogus was accepted"; fi
  [ "$(wc -l < "$scratch/err")" -eq 1 ] || fail "$tool --bogus: not one line"
  grep -Eq "(unknown|unrecognised) option '?--bogus" "$scratch/err" || fail "$tool --bogus is not named"
done
# What picketd is given wrong: status 2, one line that names it, and no byte of it reaches the terminal raw.
wrong() {
  said="$1" && shift && status=0
  "$@" > "$scratch/out" 2> "$scratch/err" < /dev/null || status=$?
  [ $status -eq 2 ] || fail "$*: status $status"
  [ "$(wc -l < "$scratch/err")" -eq 1 ] || fail "$*: not one line"
  grep -qF -- "$said" "$scratch/err" || fail "$*: does not say $said"
}
wrong "log level 'loud'" "$PICKET_BIN/picketd" --log-level loud
wrong "unexpected argument 'extra'" "$PICKET_BIN/picketd" extra
wrong "data-dir: '' is no absolute path" "$PICKET_BIN/picketd" --data-dir ""
printf 'data-dir = relative\n' > "$scratch/picketd.conf"
wrong "$scratch/picketd.conf: data-dir: 'relative'" "$PICKET_BIN/picketd" --config "$scratch/picketd.conf"
printf '\033[31mred\377 = 1\n' > "$scratch/picketd.conf"
wrong "red" "$PICKET_BIN/picketd" --config "$scratch/picketd.conf"
if LC_ALL=C grep -q "$(printf '\033')" "$scratch/err"; then fail "a broken file reaches the terminal"; fi
for call in "picketctl help" "picketctl task --help" "picketctl --version" "picket-repo --help" "picket-plugin-check list" "picket-plugin-pack --help" "picket-ksn --version" "picket-digests --help"; do
  if "$PICKET_BIN"/$call > /dev/full 2> "$scratch/err"; then fail "$call on a full disk"; fi
  grep -q "cannot write the output" "$scratch/err" || fail "$call on a full disk says nothing"
done
"$PICKET_BIN/picket-plugin-pack" --help extra > "$scratch/out" || fail "picket-plugin-pack --help extra"
if run picket-tuf-client --metadata-dir; then fail "an option without its value was accepted"; fi
grep -q "option --metadata-dir needs a value" "$scratch/err" || fail "picket-tuf-client --metadata-dir"
# Said before anything is built.
if timeout 60 "$PICKET_SOURCE/installer/bench" no-such > "$scratch/out" 2> "$scratch/err"; then fail "a benchmark that is not there was run"; fi
grep -q "no benchmark is named like: no-such" "$scratch/err" || fail "installer/bench no-such"
