#include "ctl/session.hpp"

namespace picket::ctl {
namespace {

namespace pb = google::protobuf;
using std::chrono::milliseconds;

constexpr milliseconds unlimited = std::chrono::hours(24);  // the longest that the bus takes
constexpr milliseconds patience{250};
constexpr milliseconds state_wait{150};  // a kept value comes with the subscription, if there is one
constexpr std::uint64_t window = 256u << 10;

std::string content_type_of(const pb::Message& message) { return cat("application/x-protobuf; messageType=", message.GetTypeName()); }

Result<> parse(std::string_view topic, std::string_view payload, pb::Message& into) {
  if (into.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return {};
  return fail(Code::invalid, cat("the answer to ", topic, " is not a ", into.GetTypeName(), "; are picketctl and picketd of one version?"));
}

tl::unexpected<Error> explained(Error error, std::string_view topic) {
  if (error.is_unanswered && part_that_answers(topic).empty()) error.message += ": its plugin is not there, or does not run (picketctl plugin list)";
  return fail(std::move(error));
}

}  // namespace

// Named in each request: an answer of picketd is then nobody else's, also should another come to answer its topic.
std::string_view part_that_answers(std::string_view topic) {
  static constexpr std::pair<std::string_view, std::string_view> parts[] = {
      {"picket.bus.watch", "picket.watch"}, {"picket.bus.", "picket.host"},
      {"picket.host.", "picket.host"},      {"picket.plugin.", "picket.host"},
      {"picket.policy.", "picket.policy"},  {"picket.task.", "picket.task"},
      {"picket.update.", "picket.update"},  {"picket.component.", "picket.update"}};
  for (const auto& [topics, part] : parts)
    if (topic.starts_with(topics)) return part;
  return {};
}

Session::Session(std::filesystem::path socket, milliseconds timeout, core::CancelToken cancel)
    : socket_(std::move(socket)), timeout_(timeout), long_timeout_(unlimited), cancel_(std::move(cancel)) {}

Result<> Session::connect() {
  if (client_) return {};
  auto client = bus::wire::Client::connect(socket_, timeout_);
  if (!client) {
    unreachable_ = true;
    return fail(std::move(client).error());
  }
  client_ = std::move(*client);
  return {};
}

Result<> Session::ask(std::string_view topic, const pb::Message& request, pb::Message& reply) { return ask_within(timeout_, topic, request, reply); }

Result<> Session::ask_patiently(std::string_view topic, const pb::Message& request, pb::Message& reply) { return ask_within(long_timeout_, topic, request, reply); }

Result<> Session::ask_within(milliseconds limit, std::string_view topic, const pb::Message& request, pb::Message& reply) {
  PICKET_TRY(connect());
  const auto type = content_type_of(request);
  const auto payload = request.SerializeAsString();
  if (payload.size() > bus::kMaxPayload)
    return fail(Code::too_large, cat("the request has ", std::to_string(payload.size()), " bytes, the bus takes ", std::to_string(bus::kMaxPayload)));
  bus::Request ask;
  ask.topic = topic;
  ask.to = part_that_answers(topic);
  ask.content_type = type;
  ask.payload = payload;
  ask.timeout = limit;
  const auto answer = client_->call(ask, cancel_);
  return answer ? parse(topic, answer->payload, reply) : explained(answer.error(), topic);
}

Result<> Session::follow(std::string_view topic, const pb::Message& request, pb::Message& reply, const Chunk& chunk, const Idle& idle) {
  PICKET_TRY(connect());
  const auto type = content_type_of(request);
  const auto payload = request.SerializeAsString();
  bus::Request ask;
  ask.topic = topic;
  ask.to = part_that_answers(topic);
  ask.content_type = type;
  ask.payload = payload;
  ask.timeout = long_timeout_;
  PICKET_LET(stream, client_->open(ask, window, cancel_));
  const auto until = std::chrono::steady_clock::now() + long_timeout_;
  for (;;) {
    const auto asked = std::chrono::steady_clock::now();
    auto next = stream->next(patience);
    const auto now = std::chrono::steady_clock::now();
    if (next && !*next) return parse(topic, stream->reply().payload, reply);
    if (next) {
      PICKET_TRY(chunk((*next)->payload()));
    } else if (next.error().code != Code::timeout || now - asked < patience / 2 || now >= until) {
      // Code::timeout may mean "nothing yet", after the patience, or be the answer itself, at once.
      return explained(std::move(next).error(), topic);
    } else if (idle) {
      PICKET_TRY(idle());
    }
    if (cancel_.is_cancelled()) return fail(Code::cancelled, "interrupted");
  }
}

Result<> Session::watch(std::string_view topic, const pb::Message& request, pb::Message& reply, const Chunk& chunk, const Idle& idle) {
  PICKET_TRY(connect());  // what ends in time below is then no connection that does not come
  for (;;) {
    const auto followed = follow(topic, request, reply, chunk, idle);
    if (followed || followed.error().code == Code::cancelled) return {};
    if (followed.error().code != Code::timeout && followed.error().code != Code::expired) return followed;
    if (long_timeout_ != unlimited) return {};
    // A request lives a day at most; watching may last longer.
  }
}

Result<> Session::state(std::string_view topic, pb::Message& value) {
  PICKET_TRY(connect());
  PICKET_TRY(client_->subscribe(topic));
  auto message = client_->next(state_wait, cancel_);
  PICKET_TRY(client_->unsubscribe(topic));
  if (!message) return fail(message.error().code == Code::timeout ? Error{Code::not_found, cat("nobody published ", topic)} : std::move(message).error());
  return parse(topic, (*message)->payload(), value);
}

}  // namespace picket::ctl
