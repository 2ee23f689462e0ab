#include "ksn_store/redis_cluster.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include <hiredis/hiredis.h>

namespace picket::ksn_store {
namespace {

using Reply = RedisConnection::Reply;

constexpr std::chrono::milliseconds kConnectTime{500}, kAnswerTime{5000}, kPause{50};
constexpr std::size_t kMostNodes = 1000;

std::string_view text_of(const redisReply& reply) { return reply.str ? std::string_view(reply.str, reply.len) : std::string_view(); }

RedisReply convert(const redisReply& reply) {
  RedisReply out;
  out.nil = reply.type == REDIS_REPLY_NIL;
  if (reply.type == REDIS_REPLY_INTEGER) out.number = reply.integer;
  out.text = text_of(reply);
  if (reply.type == REDIS_REPLY_ARRAY)
    for (std::size_t i = 0; i < reply.elements; ++i) out.list.emplace_back(text_of(*reply.element[i]));
  return out;
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
  if (const auto open = key.find('{'); open != key.npos)
    if (const auto close = key.find('}', open + 1); close != key.npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  std::uint32_t crc = 0;
  for (const char c : key) {
    crc ^= static_cast<std::uint32_t>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1;
  }
  return static_cast<std::uint16_t>(crc % kRedisSlots);
}

Result<RedisConnection*> RedisCluster::connection(const std::string& node, Clock::time_point until) {
  auto& kept = connections_[node];
  if (kept) return kept.get();
  PICKET_LET(fresh, RedisConnection::open(node, access_, std::min(until, Clock::now() + kConnectTime)));
  down_.erase(node);
  kept = std::move(fresh);
  return kept.get();
}

Result<> RedisCluster::learn_from(const std::string& node, Clock::time_point until) {
  const auto broken = [&](std::string_view what) { return fail(Code::unavailable, cat("Redis node ", node, ": ", what)); };
  PICKET_LET(open, connection(node, until));
  const std::vector<std::string> words{"CLUSTER", "SLOTS"};
  const auto answer = open->ask(words, std::min(until, Clock::now() + kConnectTime));
  if (!answer) {
    connections_.erase(node);
    return fail(answer.error());
  }
  const auto* reply = answer->get();
  if (reply->type == REDIS_REPLY_ERROR) return broken(text_of(*reply));
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) return broken("knows of no slots");
  std::vector<std::string> nodes;
  std::array<std::uint16_t, kRedisSlots> owner{};
  for (std::size_t i = 0; i < reply->elements; ++i) {
    const auto& range = *reply->element[i];
    if (range.type != REDIS_REPLY_ARRAY || range.elements < 3 || range.element[2]->type != REDIS_REPLY_ARRAY || range.element[2]->elements < 2) continue;
    auto host = std::string(text_of(*range.element[2]->element[0]));
    if (host.empty()) host = node.substr(0, node.rfind(':'));  // a node that does not know its own address
    auto name = cat(host, ":", std::to_string(range.element[2]->element[1]->integer));
    auto known = std::find(nodes.begin(), nodes.end(), name);
    if (known == nodes.end()) {
      if (nodes.size() == kMostNodes) return broken("names more than 1000 nodes");
      known = nodes.insert(nodes.end(), std::move(name));
    }
    const auto first = std::max<long long>(0, range.element[0]->integer), last = std::min<long long>(kRedisSlots - 1, range.element[1]->integer);
    for (auto slot = first; slot <= last; ++slot) owner[static_cast<std::size_t>(slot)] = static_cast<std::uint16_t>(known - nodes.begin() + 1);
  }
  owner_ = owner;
  nodes_ = std::move(nodes);
  learned_ = true;
  std::erase_if(connections_, [this](const auto& one) {
    return std::find(nodes_.begin(), nodes_.end(), one.first) == nodes_.end() && std::find(seeds_.begin(), seeds_.end(), one.first) == seeds_.end();
  });
  return {};
}

Result<> RedisCluster::learn_slots(Clock::time_point until) {
  auto candidates = nodes_;
  candidates.insert(candidates.end(), seeds_.begin(), seeds_.end());
  Error first{Code::unavailable, "there was no time"};
  for (std::size_t i = 0; i < candidates.size() && Clock::now() < until; ++i) {
    auto learned = learn_from(candidates[i], until);
    if (learned) return {};
    if (i == 0) first = std::move(learned).error();
  }
  return fail(Code::unavailable, cat("no node of the Redis cluster answers (the first: ", first.message, ")"));
}

void RedisCluster::round(std::span<const RedisCommand> commands, std::vector<Pending>& pending, std::vector<RedisReply>& replies, Clock::time_point until, Error& last, bool& hopeless) {
  struct Sent {
    RedisConnection* to = nullptr;
    std::vector<Pending> what;
    bool lost = false;
  };
  const std::vector<std::string> asking{"ASKING"};
  std::map<std::string, Sent> by_node;
  std::vector<Pending> again;
  for (auto& one : pending) {
    std::string node = one.ask;
    if (node.empty()) {
      const auto slot = slot_of(commands[one.command].arguments[1]);
      if (owner_[slot] == 0) {
        last = {Code::unavailable, cat("no node of the Redis cluster has slot ", std::to_string(slot))};
        again.push_back({one.command, {}});
        continue;
      }
      node = nodes_[owner_[slot] - 1u];
    }
    by_node[node].what.push_back(std::move(one));
  }
  for (auto& [node, sent] : by_node) {
    auto open = connection(node, until);
    if (!open) {
      last = open.error();
      hopeless = hopeless || down_.contains(node);
      missing_ = node;
      for (const auto& one : sent.what) again.push_back({one.command, {}});
      sent.what.clear();
      learned_ = false;
      continue;
    }
    sent.to = *open;
    for (const auto& one : sent.what) {
      if (!one.ask.empty()) sent.to->append(asking);
      sent.to->append(commands[one.command].arguments);
    }
    // Out before any answer is read, so that the nodes work at the same time.
    if (auto out = sent.to->send(std::min(until, Clock::now() + kAnswerTime)); !out) {
      sent.lost = true;
      last = out.error();
    }
  }
  for (auto& [node, sent] : by_node) {
    for (auto& one : sent.what) {
      Reply reply;
      for (int part = one.ask.empty() ? 1 : 0; part < 2 && !sent.lost; ++part) {  // the answer to ASKING comes first
        auto got = sent.to->receive(std::min(until, Clock::now() + kAnswerTime));
        sent.lost = !got;
        if (got) reply = std::move(*got);
        else last = got.error();
      }
      if (sent.lost) {
        again.push_back({one.command, {}});
        continue;
      }
      if (reply->type != REDIS_REPLY_ERROR) {
        replies[one.command] = convert(*reply);
        continue;
      }
      const auto text = text_of(*reply);
      last = {Code::unavailable, cat("Redis node ", node, ": ", text)};
      if (text.starts_with("MOVED ") || text.starts_with("ASK ")) {
        auto target = std::string(text.substr(text.rfind(' ') + 1));
        if (target.starts_with(':')) target.insert(0, node.substr(0, node.rfind(':')));
        again.push_back({one.command, text.starts_with("ASK ") ? target : std::string()});
        if (text.starts_with("MOVED ")) learned_ = false;
      } else if (text.starts_with("TRYAGAIN") || text.starts_with("LOADING") || text.starts_with("CLUSTERDOWN") || text.starts_with("MASTERDOWN") || text.starts_with("READONLY")) {
        again.push_back({one.command, {}});
        learned_ = learned_ && !text.starts_with("READONLY");
      } else {
        hopeless = true;  // WRONGTYPE, NOAUTH, OOM: asking again gives the same
      }
    }
    if (sent.lost) {
      connections_.erase(node);
      learned_ = false;
    }
  }
  pending = std::move(again);
}

Result<std::vector<RedisReply>> RedisCluster::run(std::span<const RedisCommand> commands, std::chrono::milliseconds deadline) {
  const auto until = Clock::now() + deadline;
  std::vector<RedisReply> replies(commands.size());
  std::vector<Pending> pending;
  pending.reserve(commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) pending.push_back({i, {}});
  Error last{Code::unavailable, "the Redis cluster does not answer in time"};
  bool hopeless = false, was_told = false;
  missing_.clear();
  while (!pending.empty()) {
    // The last try may only have run out of time: what was wrong before is why.
    if (!learned_)
      if (auto learned = learn_slots(until); !learned && (!std::exchange(was_told, true) || Clock::now() < until)) last = std::move(learned).error();
    const auto before = pending.size();
    const bool moved = learned_;
    if (learned_) round(commands, pending, replies, until, last, hopeless);
    if (hopeless) return fail(std::move(last));
    if (pending.empty()) break;
    if (Clock::now() + kPause >= until) {
      if (!missing_.empty()) down_.insert(missing_);
      return fail(std::move(last));
    }
    // A slot that moved is found at once; a node that is away takes the others some time to replace.
    if (!moved || pending.size() == before || !learned_) std::this_thread::sleep_for(kPause);
  }
  return replies;
}

}  // namespace picket::ksn_store
