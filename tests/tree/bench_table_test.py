#!/usr/bin/env python3
"""tests/bench/table.py says of each figure whether its goal was met, in a table and as JSON."""
import json
import os
import pathlib
import subprocess
import sys

TABLE = pathlib.Path(os.environ["PICKET_SOURCE"]) / "tests" / "bench" / "table.py"
ROWS = [
    {"name": "rate", "ours": 3, "peer": 2, "peer_name": "zmq", "unit": "M/s", "better": "higher", "goal": "at least zmq", "goal_ratio": 1},
    {"name": "time", "ours": 14, "peer": 10, "peer_name": "curl", "unit": "s", "better": "lower", "goal": "at most 1.3", "goal_ratio": 1.3},
    {"name": "nearly", "ours": 99996, "peer": 100000, "peer_name": "zmq", "unit": "M/s", "better": "higher", "goal": "at least zmq", "goal_ratio": 1},
    {"name": "hardly", "ours": 130004, "peer": 100000, "peer_name": "curl", "unit": "s", "better": "lower", "goal": "at most 1.3", "goal_ratio": 1.3},
    {"name": "alone", "ours": 19.5, "unit": "us", "better": "lower", "goal": "under 20", "goal_value": 20},
    {"name": "told", "ours": 1234, "unit": "x", "better": "lower"},
]
RESULTS = ["met", "missed", "missed", "missed", "met", "-"]


def table(*options):
    told = "what a library says\n" + "".join(json.dumps(row) + "\n" for row in ROWS)
    return subprocess.run([sys.executable, TABLE, *options], input=told, capture_output=True, text=True, check=True, timeout=60).stdout


head, *lines = [line.split() for line in table().splitlines()]
assert head == ["name", "ours", "peer", "unit", "ratio", "goal", "result"], head
assert [line[-1] for line in lines] == RESULTS, lines
assert lines[0][:6] == ["rate", "3", "2", "zmq", "M/s", "1.5"] and lines[-1][1] == "1,234", lines

rows = json.loads(table("--json"))
assert [row["result"] for row in rows] == RESULTS and [row["ratio"] for row in rows] == [1.5, 1.4, 1.0, 1.3, None, None], rows
assert all(row.items() >= given.items() for row, given in zip(rows, ROWS)), "JSON keeps all that was measured"
print(f"{len(ROWS)} figures judged")
