// Tries to be what it is not: asks as the update engine does, publishes what others believe, listens to everybody. Answers
// org.example.claims.try with what each brought it: the status of the call, or of the answer where the call was taken.
#include <map>

#include <picket/plugin.hpp>

using namespace picket::plugin;

class Claims {
 public:
  explicit Claims(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) { return PICKET_OK; }
  void stop() {}

  void on_request(std::uint64_t id, const Message&) {
    asked_ = id;
    got_.clear();
    got_["publish active"] = host_.publish("picket.component.active", "yara-rules", "", "forged");
    got_["publish variant"] = host_.publish("picket.update.variant", "", "", "forged");
    got_["subscribe all"] = host_.subscribe("*");
    open_ = 0;
    ask("picket.component.activate", "org.picket.scanner");
    ask("picket.policy.apply", "");
    ask("picket.bus.watch", "picket.watch");
    ask("picket.ksn.decide", "");
    tell_when_all();
  }
  void on_reply(std::uint64_t token, picket_status status, const Message&) {
    got_["ask " + topics_[token]] = status;
    --open_;
    tell_when_all();
  }

 private:
  void ask(const std::string& topic, std::string_view to) {
    topics_[++token_] = topic;
    const auto status = host_.request(topic, to, "", "release 99", 2000, token_);
    if (status == PICKET_OK) ++open_;
    else got_["ask " + topic] = status;
  }
  void tell_when_all() {
    if (open_ != 0) return;
    std::string out;
    for (const auto& [what, status] : got_) out += what + " " + std::to_string(status) + "\n";
    (void)host_.respond(asked_, PICKET_OK, "", out);
  }

  Host host_;
  std::uint64_t asked_ = 0, token_ = 0;
  unsigned open_ = 0;
  std::map<std::uint64_t, std::string> topics_;
  std::map<std::string, picket_status> got_;
};

PICKET_PLUGIN("org.example.claims", Claims)
