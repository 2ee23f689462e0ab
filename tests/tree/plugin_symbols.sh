#!/usr/bin/env bash
# Every packed plugin exports exactly one symbol, the entry, and nothing of type `u` that would keep it mapped for ever.
set -euo pipefail
count=0
while IFS= read -r so; do
  # The sanitizers' runtime adds symbols of its own to what it instruments; they are not the plugin's.
  symbols=$(nm -D --defined-only "$so" | grep -vE ' (__asan|__ubsan|__lsan|__sancov|__odr_asan|__start___|__stop___)' || true)
  if [ "$(printf '%s\n' "$symbols" | awk '{print $NF}')" != picket_plugin_entry_v1 ] || printf '%s\n' "$symbols" | grep -q ' u '; then
    printf '%s exports more than the entry:\n%s\n' "$so" "$symbols" >&2
    exit 1
  fi
  count=$((count + 1))
done < <(find "$PICKET_BUILD/plugins" -name '*.so' | sort)
[ "$count" -ge 4 ] || { echo "only $count plugins found below $PICKET_BUILD/plugins" >&2; exit 1; }
echo "$count plugins, one symbol each"
