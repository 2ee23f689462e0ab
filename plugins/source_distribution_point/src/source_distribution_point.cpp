#include "source_distribution_point.hpp"

#include <boost/json.hpp>

#include <map>

#include "device.hpp"
#include "picket/update/v1/report.pb.h"

namespace source_distribution_point {
namespace {

namespace json = boost::json;
using curl_source::Outcome;
using curl_source::failed;

constexpr std::uint64_t kDemandTimer = 1, kDemandToken = 1;
constexpr std::uint64_t kAskDemandEvery = 600'000;
constexpr std::chrono::seconds kLookAgain(30);
constexpr std::size_t kLongestDevice = 128;    // a point takes no longer name
constexpr const char* kAllPoints = "points";   // a source's location: those of the settings

}  // namespace

picket_status SourceDistributionPoint::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(-static_cast<picket_status>(settings.error().code), settings.error().message);
  take(std::move(*settings));
  desk_.start(settings_.loop);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

picket_status SourceDistributionPoint::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(-static_cast<picket_status>(settings.error().code), settings.error().message);
  take(std::move(*settings));
  const bool all = desk_.apply(settings_.loop);
  host_.observed(revision, PICKET_HEALTH_HEALTHY, all ? "" : "parallel_fetches and fallback_resolvers are in force from the next start");
  return PICKET_OK;
}

void SourceDistributionPoint::take(Settings settings) {
  settings_ = std::move(settings);
  looked_at_ = {};
  asking_ = false;
  demand_.clear();
  // A computer without points has nothing to ask for.
  if (!settings_.announce) {
    host_.cancel_timer(kDemandTimer);
    return;
  }
  host_.set_timer(kDemandTimer, kAskDemandEvery, kAskDemandEvery);
  ask_demand();
}

const Device& SourceDistributionPoint::device() {
  const auto now = std::chrono::steady_clock::now();
  if (looked_at_ == std::chrono::steady_clock::time_point{} || now - looked_at_ >= kLookAgain) {
    device_ = look_at_this_device();
    if (!settings_.device.empty()) device_.id = settings_.device;
    device_.groups = settings_.groups;
    looked_at_ = now;
  }
  return device_;
}

void SourceDistributionPoint::ask_demand() {
  if (asking_) return;
  wanted_.clear();
  ask_demand({});
}

void SourceDistributionPoint::ask_demand(const std::string& after) {
  picket::update::v1::StatusRequest question;
  question.set_after(after);
  asking_ = host_.request("picket.update.status", "", "application/x-protobuf; messageType=picket.update.v1.StatusRequest", question.SerializeAsString(), 10'000, kDemandToken) == PICKET_OK;
}

void SourceDistributionPoint::on_reply(std::uint64_t, picket_status status, const picket::plugin::Message& reply) {
  asking_ = false;
  picket::update::v1::StatusReply state;
  if (status != PICKET_OK || !state.ParseFromArray(reply.payload.data(), static_cast<int>(reply.payload.size()))) return;  // the timer asks again
  for (const auto& component : state.components())
    if (component.demanded_by_size() > 0)
      wanted_.push_back(json::object{{"component", component.component()}, {"variants", json::array{component.wanted_variant() == "light" ? "light" : "full"}}});
  if (state.more() && !state.components().empty()) return ask_demand(state.components().rbegin()->component());
  demand_ = json::serialize(json::object{{"device", device().id}, {"components", std::exchange(wanted_, {})}});
}

// What devices ask of the point that runs here goes up from point to point. Under a name of its own, since what this computer needs is told, too.
std::string SourceDistributionPoint::demand_of_point(const picket::source::v1::Wanted& wanted) {
  constexpr std::string_view kEnding = ":point";
  std::map<std::string, json::array> components;
  for (const auto& one : wanted.components()) components[one.component()].emplace_back(one.variant());
  json::array list;
  for (auto& [component, variants] : components) list.push_back(json::object{{"component", component}, {"variants", std::move(variants)}});
  return json::serialize(json::object{{"device", device().id.substr(0, kLongestDevice - kEnding.size()).append(kEnding)}, {"components", std::move(list)}});
}

Outcome<std::vector<Candidate>> SourceDistributionPoint::candidates(const picket::source::v1::Source& source) {
  auto points = settings_.points;
  const bool named = source.location() != kAllPoints;
  if (named) points = {Point{source.location(), source.location(), {}, {}}};  // the administrator has chosen
  const auto now = Points::Clock::now();
  std::vector<Candidate> out;
  for (const auto& point : points_->order(points, device(), now)) {
    auto one = source;
    one.set_location(point.url);
    auto target = curl_source::parse_http_target(one, settings_.http);
    if (!target) return tl::unexpected(target.error());
    if (target->ca_file.empty()) target->ca_file = point.ca_file;
    out.push_back({point.name, named ? "named by the source" : point.scope.why(device()), std::move(*target)});
  }
  if (!out.empty()) return out;
  if (points.empty()) return failed(PICKET_E_INVALID, "source '" + source.name() + "': the settings of org.picket.source-distribution-point name no points");
  return failed(PICKET_E_UNAVAILABLE, "source '" + source.name() + "': none of " + std::to_string(points.size()) + " distribution points is for this device");
}

Outcome<std::unique_ptr<curl_source::Transfer>> SourceDistributionPoint::make(curl_source::Order order) {
  auto found = candidates(order.request.source());
  if (!found) return tl::unexpected(found.error());
  const bool begins = order.request.path() == "metadata/timestamp.json" && !order.probe;  // what every check asks for
  const bool is_for_others = begins && order.request.has_wanted();
  const std::string demand = !settings_.announce ? std::string() : is_for_others ? demand_of_point(order.request.wanted()) : demand_;
  if (begins && settings_.announce) ask_demand();  // for the next one
  return std::make_unique<PointTransfer>(std::move(order), std::move(*found), points_, is_for_others ? announced_of_point_ : announced_, demand, "Picket/" PICKET_PLUGIN_VERSION);
}

}  // namespace source_distribution_point
