# Sourced by installer/demo: computers that reach no web server: behind a distribution point, and with a removable drive.

step "13. A distribution point between the web server and two agents"
free_port point_port
mkdir -p "$work/site/point/settings" "$work/site/alice/settings" "$work/site/bob/settings"
cat >"$work/site/point/settings/org.picket.update.json" <<<"{\"interval_minutes\": 0, \"sources\": $web_source}"
cat >"$work/site/point/settings/org.picket.distribution-point.json" <<JSON
{"enabled": true, "name": "branch office", "listen": ["127.0.0.1"], "http_port": $point_port, "interval_minutes": 0, "folder": "$work/site/point/mirror"}
JSON
cat >"$work/site/point/settings/org.picket.tasks.json" <<<'{"tasks": {"fill-the-point": {"type": "distribution-point"}}}'
another point org.picket.source-http org.picket.distribution-point
for name in alice bob; do
  cat >"$work/site/$name/settings/org.picket.update.json" <<<'{"interval_minutes": 0, "rest_after_failure_seconds": 1, "components": ["yara-rules"],
  "sources": [{"name": "branch", "plugin": "org.picket.source-distribution-point", "location": "points"}]}'
  cat >"$work/site/$name/settings/org.picket.source-distribution-point.json" <<JSON
{"device": "$name", "points": [{"name": "branch office", "url": "http://127.0.0.1:$point_port/", "scope": {"networks": [{"ranges": ["127.0.0.0/8"]}]}}]}
JSON
  another "$name" org.picket.source-distribution-point
done
at point task run fill-the-point
say "The point brings only what somebody asked for, so there is nothing yet for alice; but now it knows what she needs:"
expect 1 at alice update run
: >"$work/web/access.log"
at point task run fill-the-point
for name in alice bob; do at "$name" update run; done
at bob component list
at bob update explain | grep -F ":$point_port/" | sed -n 1,3p
sent=$(grep -o '"GET /targets/[^ ]*' "$work/web/access.log" || true)
[ -n "$sent" ] && [ -z "$(sort <<<"$sent" | uniq -d)" ] || die "not each file once from the web server: $sent"
say "Two agents are current, and the web server sent each file once ($(wc -l <<<"$sent"), with the deltas that others may need)."

step "14. A removable drive: for an agent without a network"
drive=$work/media/stick
mkdir -p "$work/media" "$work/site/island/settings"
cat >"$work/site/island/settings/org.picket.update.json" <<JSON
{"interval_minutes": 120, "components": ["yara-rules"],
 "sources": [{"name": "stick", "plugin": "org.picket.source-folder", "location": "$drive"}]}
JSON
another island org.picket.source-folder
say "The drive is not there yet:"
expect 1 at island update run
say "Alice's agent writes what it has in force; the publisher could, too (picket-repo export):"
at alice update export "$drive"
say "The drive is there now, and the agent without a network takes it by itself:"
wait_for "the update from the drive" bash -c "'$bin/picketctl' --socket '$work/site/island/run/picketd.sock' --json task history update | grep -q source-appeared"
at island task history update
at island component list
say "Later the publisher writes a newer release on it, for one component:"
release 6 r2 r2-light >/dev/null 2>&1
repo export --repo "$work/publisher" yara-rules "$drive"
news=$(at island update run)
say "$news"
mention "yara-rules 5 > 6" "$news"
end_others

