#include "support/redis_cluster.hpp"

#include <thread>

#include <hiredis/hiredis.h>

#include "base/files.hpp"
#include "support/tls_certificate.hpp"

namespace picket::support {
namespace {

constexpr unsigned kSlots = 16384;

std::string text_of(const redisReply& reply) {
  std::string out = reply.str ? std::string(reply.str, reply.len) : std::string();
  if (reply.type == REDIS_REPLY_INTEGER) out = std::to_string(reply.integer);
  for (std::size_t i = 0; i < reply.elements; ++i) out += text_of(*reply.element[i]) + "\n";
  return out;
}

}  // namespace

Result<> RedisNodes::launch(Node& node) {
  const auto port = std::to_string(node.port), certificate = this->certificate(), key = (folder_ / "tls.key").native();
  std::vector<std::string> words{"/usr/bin/redis-server", "--cluster-port", std::to_string(node.bus), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", options_.replicas ? "4000" : "10000",
                                 "--cluster-require-full-coverage", "no", "--dir", node.folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--protected-mode", "no"};
  if (options_.tls)
    words.insert(words.end(), {"--port", "0", "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no", "--tls-cluster", "yes",
                               "--tls-replication", "yes"});
  else
    words.insert(words.end(), {"--port", port});
  if (!options_.password.empty()) words.insert(words.end(), {"--requirepass", options_.password, "--masterauth", options_.password});
  return node.process.start(words, node.folder + "/log", [&] { return accepts(node.port) && accepts(node.bus); });  // it ends when only the second is taken
}

Result<std::unique_ptr<RedisNodes>> RedisNodes::start(std::size_t masters, Options options) {
  std::unique_ptr<RedisNodes> self(new RedisNodes);
  self->masters_ = masters;
  self->access_.password = options.password;
  self->options_ = std::move(options);
  if (self->options_.tls) {
    PICKET_TRY(make_certificate(self->certificate(), self->folder_ / "tls.key"));
    PICKET_LET(context, ksn_store::make_redis_tls(self->certificate(), {}, {}));
    self->access_.tls = std::move(context);
  }
  for (std::size_t i = 0; i < masters * (self->options_.replicas ? 2 : 1); ++i) {
    auto& node = *self->nodes_.emplace_back(std::make_unique<Node>());
    node.folder = self->folder_ / std::to_string(i);
    PICKET_TRY(make_folders(node.folder));
    for (int tries = 1;; ++tries) {
      PICKET_LET(port, free_port());
      PICKET_LET(bus, free_port());
      node.port = port, node.bus = bus;
      auto launched = self->launch(node);
      if (launched) break;
      if (tries == 5 || launched.error().code == Code::not_found) return fail(std::move(launched).error());
    }
  }
  PICKET_TRY(self->make_cluster());
  return self;
}

Result<> RedisNodes::make_cluster() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto first = (i * kSlots + masters_ - 1) / masters_, end = ((i + 1) * kSlots + masters_ - 1) / masters_;
    if (i < masters_) PICKET_TRY(say(i, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(end - 1)}));
    if (i != 0) PICKET_TRY(say(0, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port), std::to_string(nodes_[i]->bus)}));
  }
  PICKET_TRY(wait_until_well());
  for (std::size_t i = masters_; i < nodes_.size(); ++i) {
    PICKET_LET(master, say(i - masters_, {"CLUSTER", "MYID"}));
    PICKET_TRY(say(i, {"CLUSTER", "REPLICATE", master}));
  }
  // A replica that has not copied everything yet is not chosen.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (std::size_t i = masters_; i < nodes_.size();) {
    if (const auto info = say(i, {"INFO", "replication"}); info && info->find("master_link_status:up") != info->npos) {
      ++i;
      continue;
    }
    if (std::chrono::steady_clock::now() > until) return fail(Code::timeout, "a replica of the Redis cluster does not come up");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return nodes_.size() == masters_ ? Result<>() : wait_until_well();
}

Result<> RedisNodes::wait_until_well() {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (std::size_t i = 0; i < nodes_.size();) {
    const auto info = say(i, {"CLUSTER", "INFO"});
    if (info && info->find("cluster_state:ok") != info->npos && info->find(cat("cluster_known_nodes:", std::to_string(nodes_.size()))) != info->npos &&
        info->find("cluster_slots_assigned:16384") != info->npos) {
      ++i;
      continue;
    }
    if (std::chrono::steady_clock::now() > until) return fail(Code::timeout, cat("the Redis cluster does not come up: ", info ? *info : info.error().message));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

Result<> RedisNodes::start_again(std::size_t node) { return launch(*nodes_[node]); }

std::string RedisNodes::addresses() const {
  std::string out;
  for (std::size_t i = 0; i < masters_; ++i) out += cat(i == 0 ? "" : ",", address(i));
  return out;
}

Result<std::string> RedisNodes::say(std::size_t node, const std::vector<std::string>& words) const {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  PICKET_LET(connection, ksn_store::RedisConnection::open(address(node), access_, until));
  PICKET_LET(reply, connection->ask(words, until));
  auto out = text_of(*reply);
  if (reply->type == REDIS_REPLY_ERROR) return fail(Code::invalid, out);
  return out;
}

}  // namespace picket::support
