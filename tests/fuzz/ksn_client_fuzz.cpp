// What reaches the client from outside: an answer from the network, all the way to the reply on the bus; directives, refusals, PE signatures,
// greetings, what the service says it holds of a file. Whatever comes in: no crash, and no verdict but by the provider's key.
// Lies with a true signature come too: what they say counts, but only of what was asked.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <unistd.h>

#include "authenticode.hpp"
#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "checker.hpp"
#include "directives.hpp"
#include "greeting.hpp"
#include "outbox.hpp"
#include "trust/keys.hpp"

namespace {

using namespace ksn_client;

constexpr std::int64_t kNow = 1'800'000'000;
const std::string kFile(32, 'd');

// The network is whatever the fuzzer says: each question is answered at once.
struct World {
  std::function<std::string(const v1::AskRequest&)> answer;
  picket::trust::PrivateKey key = picket::trust::PrivateKey::generate("ed25519").value();
  Way way{{"https://localhost", "", "", {}}, false, "server localhost"};
  Broker broker{Broker::Parts{.now = [] { return kNow; },
                              .post =
                                  [this](const v1::AskRequest& request, std::chrono::milliseconds, const Line::Accept& accept, const Line::Done& done) {
                                    const ksn_channel::Answer got{200, answer(request), "HTTP/2", std::chrono::milliseconds(1)};
                                    done(accept(got, way));
                                  },
                              .shut = [] { return std::string(); },
                              .answered = {}}};
  Checker checker{Checker::Parts{
      .broker = broker, .now = [] { return kNow; }, .may_not = [](v1::ObjectKind) { return std::string(); }, .status_line = [] { return std::string("status"); }}};

  // Nothing is remembered of the run before.
  void forget(std::uint32_t file_prefix) {
    auto cache = std::make_shared<Cache>(64, nullptr, 1);
    broker.use(std::make_shared<Trust>(std::vector{key.public_key()}, "Fuzz", true), cache, std::chrono::milliseconds(0), std::chrono::milliseconds(1000));
    checker.use({.local = nullptr, .cache = cache, .ksn = "Fuzz", .private_ksn = true, .file_prefix = file_prefix});
  }
};

v1::CheckReply ask(World& world, bool address) {
  v1::CheckRequest request;
  request.add_objects()->set_file_digest(kFile);
  if (address) request.add_objects()->set_address("http://example.org/");
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
  if (!checked.ParseFromString(reply) || checked.checked_size() != request.objects_size()) std::abort();
  return checked;
}

void unsigned_answer(World& world, std::string_view bytes) {
  world.forget(4);
  world.answer = [bytes](const v1::AskRequest&) { return std::string(bytes); };
  const auto reply = ask(world, true);
  for (const auto& one : reply.checked())
    if (one.from() != v1::Checked::NOBODY || one.facts().verdict() != v1::VERDICT_UNKNOWN) std::abort();
}

// What the input says, as the provider's own answers to what is asked. The first byte: whether they were issued now, else when the first answer's seal
// says, whether each is sealed by itself, and what is asked.
void signed_lies(World& world, std::string_view bytes) {
  if (bytes.empty()) return;
  const auto how = static_cast<unsigned char>(bytes[0]);
  v1::AskReply input;
  if (!input.ParseFromArray(bytes.data() + 1, static_cast<int>(bytes.size() - 1)) || input.answers_size() == 0 || input.answers_size() > 64) return;
  world.answer = [&](const v1::AskRequest& request) {
    const auto questions = picket::ksn::questions_of(request);
    v1::AskReply reply;
    for (std::size_t i = 0; i < questions.size(); ++i) reply.add_answers()->set_said(input.answers(static_cast<int>(i) % input.answers_size()).said());
    if (!picket::ksn::seal(reply, questions, "Fuzz", true, (how & 1) != 0 ? kNow : input.answers(0).seal().issued(), world.key, (how & 2) != 0)) std::abort();
    if ((how & 2) != 0) reply.clear_seal();
    *reply.mutable_wishes() = input.wishes();
    return reply.SerializeAsString();
  };
  world.forget((how & 4) != 0 ? 4 : 0);
  const auto first = ask(world, (how & 8) != 0), again = ask(world, (how & 8) != 0);
  for (const auto* checked : {&first, &again}) {
    const auto& file = checked->checked(0);
    if (file.from() == v1::Checked::NOBODY || file.facts().verdict() == v1::VERDICT_UNKNOWN) continue;
    // Somebody said so, with the key, of this file.
    bool was_said = false;
    for (const auto& answer : input.answers()) {
      v1::Facts facts;
      v1::UnderPrefix list;
      was_said = was_said || ((how & 4) == 0 && facts.ParseFromString(answer.said()) && facts.verdict() == file.facts().verdict());
      if ((how & 4) == 0 || !list.ParseFromString(answer.said())) continue;
      for (const auto& found : list.found()) was_said = was_said || (found.digest() == kFile && found.facts().verdict() == file.facts().verdict());
    }
    if (!was_said) std::abort();
  }
}

// A service that says anything of how much it holds: a part is sent at most once, and none that is not of the file.
void held_of_a_file(std::string_view bytes) {
  struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("ksn_client_fuzz." + std::to_string(::getpid()));
    const std::string program = "\x7f" "ELF" + std::string(5000, 'p');
    Folder() {
      if (!picket::make_folders(path) || !picket::write_file_atomic(path / "program", program)) std::abort();
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const Folder folder;
  static const std::string digest = *picket::from_hex(picket::sha256_hex(folder.program));
  v1::ContentReply reply;
  // The input is a reply, and a wish for a part of the file as well.
  v1::Wish wish;
  if (!reply.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  (void)wish.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  wish.set_digest(digest);
  wish.set_type("");
  std::string told;
  Outbox outbox({[](std::string_view) -> picket::Result<std::string> { return picket::fail(picket::Code::not_found, "nothing"); }, [](std::string_view, std::string_view) { return true; }}, told);
  outbox.use({true, std::chrono::hours(24), {"executable"}, 1 << 20, 8 << 20}, {}, kNow);
  outbox.seen(digest, (folder.path / "program").native());
  if (!outbox.wish(wish)) std::abort();
  std::string went;
  for (int messages = 0; auto message = outbox.next(true, true, kNow); ++messages) {
    const auto& content = message->content;
    const auto shown = outbox.look(true, true, kNow);
    if (!shown || shown->content.part().size() != content.part().size() || shown->content.offset() != content.offset()) std::abort();
    if (messages > 4 || content.size() != folder.program.size() || content.first() + content.offset() + content.part().size() > content.size()) std::abort();
    if (content.part() != folder.program.substr(content.first() + content.offset(), content.part().size())) std::abort();
    outbox.sent(*message, &reply, kNow);
  }
  if (outbox.waiting() != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  static World world;
  const auto rest = input.substr(1);
  switch (input[0] & 7) {
    case 0: unsigned_answer(world, rest); break;
    case 1: {
      if (const auto directives = Directives::parse(rest)) (void)directives->permits("file", 1);
      break;
    }
    case 2: {
      const auto refused = refused_by({403, std::string(rest), "HTTP/2", std::chrono::milliseconds(1)}, world.way);
      if (refused.error.message.find('\n') != std::string::npos) std::abort();
      break;
    }
    case 4: signed_lies(world, rest); break;
    case 5: held_of_a_file(rest); break;
    case 6: {
      v1::HelloReply greeting;
      if (!read_greeting(std::string(rest), "Fuzz", greeting)) break;
      if (greeting.ksn() != "Fuzz") std::abort();
      (void)clock_ahead(greeting, kNow);
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
