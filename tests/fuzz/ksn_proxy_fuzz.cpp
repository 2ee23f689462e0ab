// What devices send to the KSN proxy: read by hand as protobuf reads it, and answered, whatever it is. What a KSN answers: taken or refused, never both.
#include <cstdint>
#include <cstdlib>

#include "broker.hpp"
#include "ksn/limits.hpp"
#include "unit/plugins/ksn_proxy/fake_ksn.hpp"

namespace {

namespace v1 = picket::ksn::v1;
using picket::ksn_proxy_tests::FakeKsn;

// Answers with the input instead of an AskReply.
class Liar final : public ksn_proxy::Upstream {
 public:
  explicit Liar(std::string answer) : answer_(std::move(answer)) {}
  void post(std::string_view, std::string, std::chrono::milliseconds, Done done) override { done(ksn_proxy::Posted{status, answer_}); }
  void blame(const ksn_proxy::Posted&, std::string_view) override {}
  std::uint32_t rests_for() const override { return 0; }
  std::string describe() const override { return {}; }
  int status = 200;

 private:
  const std::string answer_;
};

FakeKsn& ksn() {
  static FakeKsn one;  // a key for the whole run
  one.keeps_bodies = false;
  return one;
}

ksn_proxy::Broker::Parts parts(ksn_proxy::Upstream& upstream) {
  return {upstream, ksn().verifier(), std::string(16, 'p'), "fuzz", [] { return ksn().now.load(); }, [](std::string_view) {}};
}

void compare(std::string_view body) {
  ksn_proxy::Ask ask;
  const bool ours = ksn_proxy::parse_ask(body, ask).has_value();
  v1::AskRequest request;
  const bool theirs = request.ParseFromArray(body.data(), static_cast<int>(body.size()));
  if (ask.keys.size() > picket::ksn::kMostQuestions) std::abort();
  if (!ours) return;
  if (!theirs) std::abort();  // what protobuf refuses must not be understood here
  if (request.asker().licence() != ask.licence) std::abort();
  std::size_t at = 0;
  for (const auto& questions : request.questions())
    for (std::size_t first = 0; first + questions.length() <= questions.digests().size(); first += questions.length(), ++at)
      if (at >= ask.keys.size() || ask.keys[at].view() != questions.digests().substr(first, questions.length()) || ask.keys[at].kind != questions.kind()) std::abort();
  if (at != ask.keys.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  compare(body);

  ksn_proxy::BrokerSettings settings;
  settings.gather = std::chrono::milliseconds(0);
  settings.deadline = std::chrono::minutes(1);  // never over: both answers of one question are the same
  {
    ksn_proxy::Broker broker(settings, parts(ksn()));
    picket::ksn_proxy_tests::Answered first, second;
    broker.ask(body, first.reply());
    const int status = first.wait();
    if (status == 0) std::abort();
    broker.ask(body, second.reply());
    if (second.wait() != status) std::abort();
    v1::AskRequest request;
    // Clients must be able to check it.
    if (status == 200 && (!request.ParseFromString(body) || !ksn().verifier().verify(second.as<v1::AskReply>(), picket::ksn::questions_of(request), ksn().now))) std::abort();
  }
  Liar liar(body);
  ksn_proxy::Broker broker(settings, parts(liar));
  for (const int status : {200, 403}) {
    liar.status = status;
    picket::ksn_proxy_tests::Answered answered;
    broker.ask(picket::ksn_proxy_tests::ask_of({std::string(32, 'd')}), answered.reply());
    // Nobody here can sign as the provider.
    if (const int got = answered.wait(); got == 0 || got == 200) std::abort();
  }
  return 0;
}
