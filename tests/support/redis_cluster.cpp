#include "support/redis_cluster.hpp"

#include <thread>

#include <hiredis/hiredis.h>

#include "base/files.hpp"

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
  return node.process.start({"/usr/bin/redis-server", "--port", std::to_string(node.port), "--cluster-port", std::to_string(node.bus), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                             "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no", "--dir", node.folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--protected-mode", "no"},
                            node.folder + "/log", [&] { return accepts(node.port); });
}

Result<std::unique_ptr<RedisNodes>> RedisNodes::start(std::size_t count) {
  std::unique_ptr<RedisNodes> self(new RedisNodes);
  for (std::size_t i = 0; i < count; ++i) {
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
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = (i * kSlots + count - 1) / count, end = ((i + 1) * kSlots + count - 1) / count;
    PICKET_TRY(self->say(i, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(end - 1)}));
    if (i != 0) PICKET_TRY(self->say(0, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(self->nodes_[i]->port), std::to_string(self->nodes_[i]->bus)}));
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (std::size_t i = 0; i < count;) {
    const auto info = self->say(i, {"CLUSTER", "INFO"});
    if (info && info->find("cluster_state:ok") != info->npos && info->find(cat("cluster_known_nodes:", std::to_string(count))) != info->npos &&
        info->find("cluster_slots_assigned:16384") != info->npos) {
      ++i;
      continue;
    }
    if (std::chrono::steady_clock::now() > until) return fail(Code::timeout, cat("the Redis cluster does not come up: ", info ? *info : info.error().message));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return self;
}

Result<> RedisNodes::start_again(std::size_t node) { return launch(*nodes_[node]); }

std::string RedisNodes::addresses() const {
  std::string out;
  for (std::size_t i = 0; i < nodes_.size(); ++i) out += cat(i == 0 ? "" : ",", address(i));
  return out;
}

Result<std::string> RedisNodes::say(std::size_t node, const std::vector<std::string>& words) const {
  const timeval limit{5, 0};
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(redisConnectWithTimeout("127.0.0.1", nodes_[node]->port, limit), &redisFree);
  if (!context || context->err != 0) return fail(Code::unavailable, cat("node ", std::to_string(node), " does not answer"));
  redisSetTimeout(context.get(), limit);
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& word : words) texts.push_back(word.data()), sizes.push_back(word.size());
  auto* raw = static_cast<redisReply*>(redisCommandArgv(context.get(), static_cast<int>(texts.size()), texts.data(), sizes.data()));
  if (!raw) return fail(Code::unavailable, cat("node ", std::to_string(node), ": ", std::string_view(context->errstr)));
  auto out = text_of(*raw);
  const bool error = raw->type == REDIS_REPLY_ERROR;
  freeReplyObject(raw);
  if (error) return fail(Code::invalid, out);
  return out;
}

}  // namespace picket::support
