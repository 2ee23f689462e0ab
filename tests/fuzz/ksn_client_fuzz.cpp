// What reaches the client from outside: an answer from the network, all the way to the reply on the bus; directives, refusals, PE signatures.
// Whatever comes in: no crash, and no verdict but by the provider's key, which this fuzzer does not have.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "authenticode.hpp"
#include "checker.hpp"
#include "directives.hpp"
#include "trust/keys.hpp"

namespace {

using namespace ksn_client;

// The network is whatever the fuzzer says: each question is answered at once.
struct World {
  std::string_view answer;
  Way way{{"https://localhost", "", "", {}}, false, "server localhost"};
  Broker broker{Broker::Parts{.now = [] { return std::int64_t{1'800'000'000}; },
                              .post =
                                  [this](v1::AskRequest, std::chrono::milliseconds, const Line::Accept& accept, const Line::Done& done) {
                                    const ksn_channel::Answer got{200, std::string(answer), "HTTP/2", std::chrono::milliseconds(1)};
                                    done(accept(got, way));
                                  },
                              .shut = [] { return std::string(); },
                              .answered = {}}};
  Checker checker{Checker::Parts{
      .broker = broker, .now = [] { return std::int64_t{1'800'000'000}; }, .may_not = [](v1::ObjectKind) { return std::string(); }, .status_line = [] { return std::string("status"); }}};
  std::shared_ptr<Cache> cache = std::make_shared<Cache>(64, nullptr, 1);

  World() {
    const auto key = picket::trust::PrivateKey::generate("ed25519");
    if (!key) std::abort();
    broker.use(std::make_shared<Trust>(std::vector{key->public_key()}, "Fuzz", true), cache, std::chrono::milliseconds(0), std::chrono::milliseconds(1000));
    checker.use({.local = nullptr, .cache = cache, .ksn = "Fuzz", .private_ksn = true, .file_prefix = 4});
  }
};

void ask(World& world) {
  v1::CheckRequest request;
  request.add_objects()->set_file_digest(std::string(32, 'd'));
  request.add_objects()->set_address("http://example.org/");
  std::mutex mutex;
  std::condition_variable came;
  std::string reply;
  bool done = false;
  world.checker.check(request, std::chrono::seconds(5), [&](Result<std::string> answer) {
    const std::lock_guard lock(mutex);
    reply = answer ? *answer : std::string();
    done = true;
    came.notify_all();
  });
  std::unique_lock lock(mutex);
  came.wait(lock, [&] { return done; });
  v1::CheckReply checked;
  if (!checked.ParseFromString(reply) || checked.checked_size() != 2) std::abort();
  for (const auto& one : checked.checked())
    if (one.from() != v1::Checked::NOBODY || one.facts().verdict() != v1::VERDICT_UNKNOWN) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  static World world;
  const auto rest = input.substr(1);
  switch (input[0] & 3) {
    case 0:
      world.answer = rest;
      ask(world);
      break;
    case 1: {
      if (const auto directives = Directives::parse(rest)) (void)directives->permits("file", 1);
      break;
    }
    case 2: {
      const auto refused = refused_by({403, std::string(rest), "HTTP/2", std::chrono::milliseconds(1)}, world.way);
      if (refused.error.message.find('\n') != std::string::npos) std::abort();
      break;
    }
    default: {
      if (const auto signature = pe_signature(rest, "/dev/null"); signature && *signature && (*signature)->trusted) std::abort();
      break;
    }
  }
  v1::CheckRequest any;
  if (any.ParseFromArray(data, static_cast<int>(size)))
    for (const auto& object : any.objects()) (void)asked_of(object);
  return 0;
}
