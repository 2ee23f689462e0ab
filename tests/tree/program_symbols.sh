#!/usr/bin/env bash
# The programs that load plugins export nothing that a plugin could be bound to: only their copies of a library's variables (type B) stand there.
set -euo pipefail
count=0
for program in picketd picket-plugin-host; do
  [ -e "$PICKET_BIN/$program" ] || continue
  symbols=$(nm -D --defined-only "$PICKET_BIN/$program")
  if grep -qE ' __(asan|tsan)_' <<<"$symbols"; then
    echo "a sanitizer's runtime is exported to plugins: the preset quick runs this"
    exit 77
  fi
  if others=$(grep -v ' B ' <<<"$symbols"); then
    printf '%s exports:\n%s\n' "$program" "$others" >&2
    exit 1
  fi
  count=$((count + 1))
done
[ "$count" -ge 1 ] || { echo "neither picketd nor picket-plugin-host is in $PICKET_BIN" >&2; exit 1; }
echo "$count programs export nothing"
