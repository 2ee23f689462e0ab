// Many connections of one thread that ask the same questions again and again: the load for KSN's proxy and service. Costs less than a server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace picket::bench {

struct LoadOptions {
  std::uint16_t port = 0;
  std::string certificate;            // PEM file
  bool http2 = false;
  std::size_t connections = 50;
  std::string path = "/ksn/v1/ask";
  std::vector<std::string> bodies;    // each connection goes through them, from a place of its own on
};

struct LoadResult {
  std::uint64_t requests = 0, bad = 0, bytes = 0;  // bad: another status than 200; bytes of answers' bodies
  double seconds = 0, cpu_seconds = 0;             // of the load itself
  std::vector<double> milliseconds;                // of each request, sorted; from when it was due
  std::vector<double> sent_late;                   // paced: how many milliseconds after that it was sent, sorted: the load's own part
};

class Load {
 public:
  // Connected when it returns.
  [[nodiscard]] static Result<std::unique_ptr<Load>> connect(LoadOptions options);
  ~Load();
  // As fast as answers come: until so many requests are answered, or the time is over, whatever is first. 0: no limit.
  [[nodiscard]] LoadResult run(std::uint64_t requests, double seconds);
  // So many a second, evenly.
  [[nodiscard]] LoadResult run_at(double rate, double seconds);
  // The body of the last whole answer.
  [[nodiscard]] const std::string& last() const;

 private:
  class Parts;
  explicit Load(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace picket::bench
