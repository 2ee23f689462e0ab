# Shared by the scripts beside it. Source it after `set -euo pipefail`.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bold='' plain='' green='' red=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m' green=$'\e[32m' red=$'\e[31m'; fi

say() { printf '%s\n' "$*"; }
step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
die() { printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2; exit 1; }

# need LIST...: installs the Debian packages of installer/packages/LIST.txt that are missing.
need() {
  command -v dpkg-query >/dev/null || die "this is not Debian: no dpkg-query; install by hand what installer/packages/*.txt name"
  local list package missing=()
  for list in "$@"; do
    for package in $(cat "$root/installer/packages/$list.txt"); do
      [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "missing packages, and neither root nor sudo to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing: ${missing[*]}"
  local log; log=$(mktemp)
  local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300)
  if ! { "${as_root[@]}" "${quiet[@]}" update && "${as_root[@]}" "${quiet[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

# follow FILE: writes what it reads into the file; on a terminal a bar tells meanwhile how far ninja is ("[12/345] ...").
follow() {
  if [ ! -t 1 ] || [ "${TERM:-dumb}" = dumb ]; then cat >"$1"; return; fi
  local line cells full=######################################## empty=........................................
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line" >&3
    [[ $line =~ ^\[([0-9]+)/([1-9][0-9]*)\] ]] || continue
    cells=$((${#full} * BASH_REMATCH[1] / BASH_REMATCH[2]))
    printf '\rbuild [%s%s] %3d%% %d of %d\e[K' "${full:0:cells}" "${empty:cells}" $((100 * BASH_REMATCH[1] / BASH_REMATCH[2])) "${BASH_REMATCH[@]:1}"
  done 3>"$1"
  printf '\r\e[K'
}

# compile PRESET LOG [TARGET...]
compile() {
  local preset=$1 log=$2
  shift 2
  { cmake --preset "$preset" ${configure_options:-} && cmake --build --preset "$preset" -j "$(nproc)" ${1+--target "$@"}; } 2>&1 | follow "$log"
}

# drop_outdated PRESET LOG: Debian's headers are as old as their package, so ninja does not see that an upgrade brought others; clang does, and wants
# what it compiled of them first made anew. False: that was not it.
drop_outdated() {
  grep -q 'has been modified since the precompiled header' "$2" && find "$root/build/$1" -name '*.pch' -delete
}

# [configure_options=...] build PRESET [TARGET...]: configures and builds; the whole output only when it fails.
build() {
  local preset=$1 started=$SECONDS log="$root/build/$1.log"
  shift
  mkdir -p "$root/build"
  export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 CCACHE_SLOPPINESS=pch_defines,time_macros  # DEPEND: what is not in the cache is not preprocessed for it
  if ! compile "$preset" "$log" "$@" && ! { drop_outdated "$preset" "$log" && compile "$preset" "$log" "$@"; }; then
    grep -E -A 12 'error|Error|FAILED' "$log" | head -n 80 >&2 || tail -n 60 "$log" >&2
    die "the build ($preset) failed; all of its output is in build/$preset.log"
  fi
  say "built ($preset) in $((SECONDS - started)) s"
}
