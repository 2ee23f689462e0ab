#include "waiting.hpp"

#include <algorithm>

#include "ksn/limits.hpp"

namespace ksn_proxy {
namespace {

namespace v1 = picket::ksn::v1;

// How many bytes from `first` on are meant to come. What was wished for may reach beyond the end of the file.
std::uint64_t meant(const v1::ContentRequest& content) {
  const auto rest = content.size() - content.first();
  return content.bytes() == 0 ? rest : std::min(content.bytes(), rest);
}

}  // namespace

Part part_of(const Message& message) {
  v1::ContentRequest content;
  if (message.kind != MessageKind::content || !content.ParseFromString(message.body)) return {};
  return {Piece(content.digest(), content.first()), content.offset(), content.offset() + content.part().size(), {}, 0};
}

const char* wrong_with(const v1::ContentRequest& content) {
  if (content.digest().size() != picket::ksn::kDigestBytes) return "a digest has 32 bytes";
  if (content.part().size() > picket::ksn::kMostPartBytes) return "a part has at most 1 MiB";
  if (content.first() > content.size()) return "what is sent lies beyond the end of the file";
  if (content.offset() > meant(content) || content.part().size() > meant(content) - content.offset()) return "the part lies beyond what is sent";
  return nullptr;
}

std::string held_answer(const v1::ContentRequest& content, std::uint64_t held) {
  v1::ContentReply reply;
  reply.set_held(held);
  reply.set_complete(held == meant(content));
  return reply.SerializeAsString();
}

void Waiting::remember(Part part) {
  if (!part.piece.first.empty()) {
    auto& held = held_[part.piece];
    // Behind a gap (what was in it could not be read) it is of no use.
    if (held.messages++ == 0 || part.begin <= held.until) held.until = std::max(held.until, part.end);
  }
  parts_.push_back(std::move(part));
}

void Waiting::forget_oldest(bool arrived) {
  const auto part = std::move(parts_.front());
  parts_.pop_front();
  if (!arrived) lose(part);
  release(part);
}

void Waiting::forget_newest(std::uint64_t count) {
  for (; count > 0; --count) {
    const auto part = std::move(parts_.back());
    parts_.pop_back();
    lose(part);
    release(part);
  }
}

// Parts of a piece come one after the other: what is behind this one is of no use without it.
void Waiting::lose(const Part& part) {
  if (const auto found = held_.find(part.piece); found != held_.end()) found->second.until = std::min(found->second.until, part.begin);
}

void Waiting::release(const Part& part) {
  give_back(part.peer, part.bytes);
  if (const auto found = held_.find(part.piece); found != held_.end() && --found->second.messages == 0) held_.erase(found);
}

std::optional<std::uint64_t> Waiting::held_of(const Piece& piece) const {
  const auto found = held_.find(piece);
  return found == held_.end() ? std::nullopt : std::optional(found->second.until);
}

std::uint64_t Waiting::share_of(std::string_view peer) const {
  const auto found = shares_.find(peer);
  return found == shares_.end() ? 0 : found->second;
}

void Waiting::give_back(const std::string& peer, std::uint64_t bytes) {
  if (const auto found = shares_.find(peer); found != shares_.end() && (found->second -= std::min(found->second, bytes)) == 0) shares_.erase(found);
}

}  // namespace ksn_proxy
