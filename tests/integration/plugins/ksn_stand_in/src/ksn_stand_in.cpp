// Plays KSN's client for tests of others: publishes its setting `in_use` as the state picket.ksn.state, and answers picket.ksn.check from a
// full digest database, when its settings name one. Where KSN itself is meant, tests start the real client and the real service.
#include <picket/plugin.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <memory>
#include <string>

#include "digests/digests.hpp"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/state.pb.h"

namespace {

namespace ksn = picket::ksn::v1;

class KsnStandIn {
 public:
  explicit KsnStandIn(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings, std::uint64_t revision) { return apply(settings, revision); }
  void stop() {}

  // The host has validated and completed the settings.
  picket_status apply(std::string_view settings, std::uint64_t revision) {
    boost::system::error_code error;
    const auto document = boost::json::parse(settings, error);
    if (error || !document.is_object()) return host_.fail(PICKET_E_INVALID, "settings are not a JSON object");
    const auto& object = document.get_object();
    const auto* in_use = object.if_contains("in_use");
    const auto* path = object.if_contains("database");
    database_.reset();
    if (path != nullptr && path->is_string() && !path->get_string().empty()) {
      auto opened = picket::digests::Database::open_set(std::string(path->get_string()));
      if (!opened) return host_.fail(PICKET_E_INVALID, opened.error().message);
      database_ = *opened;
    }
    ksn::KsnState state;
    state.set_in_use(in_use != nullptr && in_use->is_bool() && in_use->get_bool());
    state.set_text(state.in_use() ? "Enabled (stand-in)" : "Disabled (stand-in)");
    state.set_status(state.in_use() ? "Enabled" : "Disabled");
    const picket_status status = host_.publish("picket.ksn.state", "", "application/x-protobuf; messageType=picket.ksn.v1.KsnState", state.SerializeAsString());
    if (status != PICKET_OK) return host_.fail(status, "cannot publish picket.ksn.state");
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }

  void on_request(std::uint64_t id, const picket::plugin::Message& message) {
    ksn::CheckRequest request;
    if (!request.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()))) {
      host_.refuse(id, PICKET_E_INVALID, "the request cannot be read");
      return;
    }
    ksn::CheckReply reply;
    for (const auto& object : request.objects()) {
      auto& checked = *reply.add_checked();
      picket::digests::Sha256 digest{};
      if (!database_ || object.file_digest().size() != digest.size()) {
        checked.set_why("the stand-in has no database");
        continue;
      }
      std::copy(object.file_digest().begin(), object.file_digest().end(), reinterpret_cast<char*>(digest.data()));
      const auto known = database_->find(digest);
      checked.set_from(ksn::Checked::SERVER);
      checked.set_ksn("stand-in");
      auto& facts = *checked.mutable_facts();
      facts.set_verdict(static_cast<ksn::Verdict>(known.verdict));
      facts.set_category(std::string(known.category));
      facts.set_threat(std::string(known.name));
    }
    host_.respond(id, PICKET_OK, "application/x-protobuf; messageType=picket.ksn.v1.CheckReply", reply.SerializeAsString());
  }

 private:
  picket::plugin::Host host_;
  std::shared_ptr<const picket::digests::Database> database_;
};

}  // namespace

PICKET_PLUGIN("org.example.ksn-stand-in", KsnStandIn)
