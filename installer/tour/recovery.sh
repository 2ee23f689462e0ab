# Sourced by installer/demo: a bad release, and a bad plugin.

step "11. A bad release is rolled back by itself"
release 4 bad bad-light
expect 5 ctl update run
ctl component list
say "The scanner went on with release 3:"
expect 4 ctl scan "$data/samples"
say "A newer release is taken again:"
release 5 r3 r3-light >/dev/null 2>&1
ctl update run

step "12. The plugin that crashes was contained all the while"
ctl plugin list
restarts=$(ctl plugin info org.example.crasher | awk '$1 == "restarts" { print $2 }')
[ "${restarts:-0}" -gt 0 ] || die "the crasher was to be started again at least once; restarts: '${restarts:-none shown}'"
say "It ended $restarts times or more; what was updated, scanned and rolled back above went on beside it."
