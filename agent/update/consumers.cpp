#include "update/consumers.hpp"

namespace picket::update {

Result<Consumers::Confirmed> Consumers::confirm(const std::vector<std::string>& plugins, const component::v1::ActiveSet& set, bool restored, std::chrono::milliseconds limit,
                                                 const core::CancelToken& cancel) {
  component::v1::ActivateRequest question;
  *question.mutable_set() = set;
  question.set_restored(restored);
  const auto payload = question.SerializeAsString();
  std::optional<Error> refused;
  Confirmed confirmed;
  for (const auto& plugin : plugins) {
    auto answer = caller_.call({.topic = kActivateTopic, .to = plugin, .content_type = kActivateType, .payload = payload, .timeout = limit}, cancel);
    if (!answer && answer.error().code == Code::cancelled) return fail(std::move(answer).error());
    if (!answer) {
      explain_.say({.component = set.component()}, cat(plugin, restored ? " could not take the earlier set back: " : " refused: ", answer.error().message));
      // Everybody is told of a set that comes back; of a new one only until somebody refuses it.
      if (!refused) refused = std::move(answer).error().context(plugin);
      if (!restored) break;
      continue;
    }
    component::v1::ActivateReply reply;
    const bool good = reply.ParseFromString(answer->payload);
    if (good && reply.pending()) {
      confirmed = {true, reply.text()};
      explain_.say({.component = set.component()}, cat(plugin, " has release ", std::to_string(set.release()), " at hand: ", reply.text()));
      continue;
    }
    explain_.say({.component = set.component()}, cat(plugin, " loaded release ", std::to_string(set.release()), good && !reply.text().empty() ? ": " : "", good ? reply.text() : ""));
  }
  if (refused) return fail(std::move(*refused));
  return confirmed;
}

}  // namespace picket::update
