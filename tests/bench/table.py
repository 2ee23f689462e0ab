#!/usr/bin/env python3
"""Reads benchmark results, one JSON object a line, and prints the table (or one JSON array with --json).

name, ours, peer, peer_name, unit, better ("higher" or "lower"), goal (text), and how it is judged: goal_ratio (ours to peer)
or goal_value (ours alone). Neither: reported only.
"""
import json
import sys


def judge(row):
    ratio = row["ours"] / row["peer"] if row.get("peer") else None
    row["ratio"] = None if ratio is None else round(ratio, 3)  # to look at; judged is what was measured
    measured, goal = (ratio, row["goal_ratio"]) if row.get("goal_ratio") is not None else (row["ours"], row.get("goal_value"))
    if goal is None or measured is None:
        row["result"] = "-"
    else:
        row["result"] = "met" if (measured >= goal if row["better"] == "higher" else measured <= goal) else "missed"
    return row


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


rows = [judge(json.loads(line)) for line in sys.stdin if line.startswith("{")]
if "--json" in sys.argv[1:]:
    json.dump(rows, sys.stdout, indent=1)
    print()
else:
    table = [("name", "ours", "peer", "unit", "ratio", "goal", "result")]
    for row in rows:
        peer = f'{number(row.get("peer"))} {row.get("peer_name") or ""}'.strip()
        table.append((row["name"], number(row["ours"]), peer, row["unit"], number(row["ratio"]), row.get("goal") or "-", row["result"]))
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
