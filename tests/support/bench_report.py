"""Rows of benchmarks that are scripts, as table.py reads them (report.hpp is the same in C++)."""
import json


def row(name, ours, unit, better, goal, **more):
    print(json.dumps({"name": name, "ours": ours, "unit": unit, "better": better, "goal": goal, **more}), flush=True)
