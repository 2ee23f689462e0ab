#!/bin/sh
# config/picketd.conf and the role presets name exactly the settings that picketd knows, and picketd reads them.
set -eu
help="$("$PICKET_BIN/picketd" --help)"
known="$(printf '%s\n' "$help" | sed -n '/^Settings/,$s/^ *--\([a-z-]*\).*/\1/p' | sort -u)"
named="$(sed -n 's/^#\{0,1\}\([a-z-]*\) *=.*/\1/p' "$PICKET_SOURCE/config/picketd.conf" | sort -u)"
[ -n "$known" ] || { echo "picketd --help names no settings"; exit 1; }
if [ "$known" != "$named" ]; then
  echo "config/picketd.conf does not name what picketd knows:"
  echo "known: $known"
  echo "named: $named"
  exit 1
fi
for preset in "$PICKET_SOURCE"/config/roles/*.conf; do
  for name in $(sed -n 's/^\([a-z-]*\) *=.*/\1/p' "$preset" | sort -u); do
    printf '%s\n' "$known" | grep -qx "$name" || { echo "$preset: $name is not a setting of picketd"; exit 1; }
  done
done
# Every commented default taken literally is read without a complaint: an unknown value would be an error of the file.
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
sed 's/^#\([a-z-]* *=\)/\1/' "$PICKET_SOURCE/config/picketd.conf" > "$scratch/all.conf"
"$PICKET_BIN/picketd" --config "$scratch/all.conf" --version > /dev/null
echo 'colour = red' >> "$scratch/all.conf"
if "$PICKET_BIN/picketd" --config "$scratch/all.conf" --version > "$scratch/out" 2>&1; then
  echo "an unknown setting was not refused"; exit 1
fi
grep -q colour "$scratch/out" || { echo "the refusal does not name the setting: $(cat "$scratch/out")"; exit 1; }
