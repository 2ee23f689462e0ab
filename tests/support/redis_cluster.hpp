// A real Redis cluster on loopback: each node a process of its own with its data on disk; with TLS, and with a replica for each master, where wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ksn_store/redis_connection.hpp"
#include "support/server_process.hpp"

namespace picket::support {

class RedisNodes {
 public:
  struct Options {
    bool tls = false;         // nothing else is spoken; a certificate for 127.0.0.1
    bool replicas = false;    // one for each master: node i + masters for node i
    std::string password;
  };
  // Returns when every node says that the cluster is well. The slots are split evenly. A node that is missing takes only its slots with it.
  [[nodiscard]] static Result<std::unique_ptr<RedisNodes>> start(std::size_t masters, Options options);
  [[nodiscard]] static Result<std::unique_ptr<RedisNodes>> start(std::size_t masters) { return start(masters, {}); }

  [[nodiscard]] std::string certificate() const { return folder_ / "tls.pem"; }
  [[nodiscard]] std::string addresses() const;  // "127.0.0.1:1,127.0.0.1:2"
  [[nodiscard]] std::string address(std::size_t node) const { return cat("127.0.0.1:", std::to_string(nodes_[node]->port)); }
  void kill(std::size_t node) { nodes_[node]->process.kill(); }
  [[nodiscard]] Result<> start_again(std::size_t node);
  [[nodiscard]] std::size_t node_of_slot(unsigned slot) const { return slot * masters_ / 16384; }
  // Words to one node; its answer as text (an array: its elements, one a line).
  [[nodiscard]] Result<std::string> say(std::size_t node, const std::vector<std::string>& words) const;

 private:
  struct Node {
    std::uint16_t port = 0, bus = 0;
    std::string folder;
    ServerProcess process;
  };
  [[nodiscard]] Result<> launch(Node& node);
  [[nodiscard]] Result<> make_cluster();
  [[nodiscard]] Result<> wait_until_well();

  ServerFolder folder_;
  Options options_;
  ksn_store::RedisAccess access_;
  std::size_t masters_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace picket::support
