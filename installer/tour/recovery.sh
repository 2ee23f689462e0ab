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
crashes=$(ctl plugin info org.example.crasher)
mention "org.example.crasher" "$crashes"

