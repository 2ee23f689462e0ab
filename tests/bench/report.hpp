// One JSON line per figure, not rounded: table.py judges it, and rounds for people; `installer/bench` gathers them from every program of tests/bench.
#pragma once

#include <cstdio>

namespace picket::bench {

struct Figure {
  const char* name;
  double ours;
  double peer;  // what it is compared with, measured in the same run, or the goal itself
  const char* peer_name;
  const char* unit;
  const char* better;  // "higher" or "lower"
  const char* goal;
  double goal_ratio;   // ours/peer must be at least (higher) or at most (lower) this
};

inline void report(const Figure& f) {
  std::printf(R"({"name":"%s","ours":%.9g,"peer":%.9g,"peer_name":"%s","unit":"%s","better":"%s","goal":"%s","goal_ratio":%.4g})" "\n",
              f.name, f.ours, f.peer, f.peer_name, f.unit, f.better, f.goal, f.goal_ratio);
  std::fflush(stdout);
}

}  // namespace picket::bench
