#include "support/ksn_service_fake.hpp"

#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <deque>

#include "ksn/limits.hpp"
#include "support/tls_certificate.hpp"

namespace picket::support {
namespace {

using Why = ksn_v1::Refusal;

std::int64_t now_seconds() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "the test's KSN: %s\n", result.error().message.c_str());
    std::abort();
  }
  return std::move(*result);
}
void must(Result<> result) {
  if (result) return;
  std::fprintf(stderr, "the test's KSN: %s\n", result.error().message.c_str());
  std::abort();
}

}  // namespace

KsnServiceFake::KsnServiceFake(const std::filesystem::path& folder, std::string name, bool private_ksn)
    : folder_(folder), name_(std::move(name)), private_(private_ksn), key_(must(trust::PrivateKey::generate("ed25519"))), stranger_(must(trust::PrivateKey::generate("ed25519"))) {
  must(make_folders(folder_ / "keys"));
  must(make_certificate(folder_ / "certificate.pem", folder_ / "key.pem"));
  port_ = must(free_port());
  come_back();
  ksn::Provider provider;
  provider.name = name_;
  provider.contact = "ksn@example.org";
  provider.created = 1'700'000'000;
  provider.private_ksn = private_;
  provider.servers = {"https://127.0.0.1:" + std::to_string(port_)};
  provider.answer_keys = {key_.public_key()};
  provider.certificate = must(read_file(folder_ / "certificate.pem", 1 << 16));
  const auto signer = must(trust::PrivateKey::generate("ed25519"));
  trust::DsseEnvelope envelope{std::string(ksn::kProviderType), provider.to_json(), {}};
  must(envelope.sign(signer));
  must(write_file_atomic(provider_file(), envelope.to_json()));
  must(write_file_atomic(folder_ / "keys" / "provider.pub.json", boost::json::serialize(signer.public_key().to_json())));
}

KsnServiceFake::~KsnServiceFake() { die(); }

std::string KsnServiceFake::address() const { return "127.0.0.1:" + std::to_string(port_); }

void KsnServiceFake::die() {
  std::vector<Held> held;
  {
    const std::lock_guard lock(mutex_);
    held.swap(held_);
  }
  if (server_) server_->stop();
  server_.reset();
}

void KsnServiceFake::come_back() {
  ksn_server::Settings settings;
  settings.port = port_;
  settings.certificate_file = (folder_ / "certificate.pem").native();
  settings.key_file = (folder_ / "key.pem").native();
  server_ = must(ksn_server::Server::start(settings, [this](const ksn_server::Request& request, ksn_server::Reply reply) { serve(std::string(request.path), std::string(request.body), std::move(reply)); }));
}

void KsnServiceFake::knows(const std::string& digest, ksn_v1::Verdict verdict, const std::string& threat, std::uint32_t ttl, ksn_v1::ObjectKind kind) {
  const std::lock_guard lock(mutex_);
  auto& facts = known_[{kind, digest}];
  facts.set_verdict(verdict);
  facts.set_threat(threat);
  facts.set_ttl_seconds(ttl);
}

void KsnServiceFake::wish(const std::string& digest, std::uint64_t first, std::uint64_t bytes, const std::string& type) {
  const std::lock_guard lock(mutex_);
  auto& wish = wishes_.emplace_back();
  wish.set_digest(digest);
  wish.set_first(first);
  wish.set_bytes(bytes);
  wish.set_type(type);
}

KsnServiceFake::Seen KsnServiceFake::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::string KsnServiceFake::answer_ask(const ksn_v1::AskRequest& request, Mood mood) {
  ksn_v1::AskReply reply;
  std::deque<std::string> others;
  auto asked = ksn::questions_of(request);
  {
    const std::lock_guard lock(mutex_);
    for (auto& question : asked) {
      const std::string digest(question.asked);
      ++seen_.digests;
      ++seen_.times[digest];
      if (mood == Mood::other_question) question.asked = others.emplace_back(digest.size(), 'x');
      if (digest.size() == ksn::kDigestBytes) {
        ksn_v1::Facts facts;
        const auto known = known_.find({static_cast<ksn_v1::ObjectKind>(question.kind), digest});
        if (known != known_.end()) facts = known->second;
        else facts.set_ttl_seconds(600);
        reply.add_answers()->set_said(facts.SerializeAsString());
      } else {
        ksn_v1::UnderPrefix list;
        list.set_ttl_seconds(600);
        for (const auto& [what, facts] : known_) {
          if (what.first != question.kind || !what.second.starts_with(digest)) continue;
          auto* found = list.add_found();
          found->set_digest(what.second);
          *found->mutable_facts() = facts;
        }
        if (mood == Mood::wrong_prefix) {
          auto* found = list.add_found();
          found->set_digest(std::string(ksn::kDigestBytes, '\x7e'));
          found->mutable_facts()->set_verdict(ksn_v1::VERDICT_UNTRUSTED);
        }
        reply.add_answers()->set_said(list.SerializeAsString());
      }
    }
  }
  if (mood == Mood::too_few && !asked.empty()) asked.pop_back(), reply.mutable_answers()->RemoveLast();
  const auto issued = mood == Mood::stale ? now_seconds() - 90 * 86400 : mood == Mood::future ? now_seconds() + 3600 : now_seconds() - issued_ago_;
  must(ksn::seal(reply, asked, mood == Mood::other_ksn ? "Somebody else" : name_, private_, issued, mood == Mood::forged ? stranger_ : key_, request.each_sealed()));
  if (mood == Mood::forged) reply.mutable_signers(0)->set_keyid(key_.public_key().key_id());
  const std::lock_guard lock(mutex_);
  if (request.asker().extended())
    for (const auto& wish : wishes_) *reply.add_wishes() = wish;
  return reply.SerializeAsString();
}

std::string KsnServiceFake::take_part(const ksn_v1::ContentRequest& request) {
  const std::lock_guard lock(mutex_);
  ++seen_.content_requests;
  seen_.content_bytes += request.part().size();
  auto& held = seen_.content[request.digest()];
  if (request.offset() == held.size()) held += request.part();
  const auto wanted = request.bytes() == 0 ? request.size() - request.first() : std::min(request.bytes(), request.size() - request.first());
  ksn_v1::ContentReply reply;
  reply.set_held(held.size());
  reply.set_complete(held.size() >= wanted);
  return reply.SerializeAsString();
}

void KsnServiceFake::answer_held(Mood mood) {
  std::vector<Held> held;
  {
    const std::lock_guard lock(mutex_);
    held.swap(held_);
    mood_ = mood;
  }
  for (auto& one : held) serve(one.path, one.body, std::move(one.reply));
}

void KsnServiceFake::serve(const std::string& path, const std::string& body, ksn_server::Reply reply) {
  Mood mood;
  {
    // What a test has seen counted keeps its mood, and is held where that is to be silent.
    const std::lock_guard lock(mutex_);
    mood = mood_;
    ++messages_;
    if (mood == Mood::silent) return held_.push_back({path, body, std::move(reply)});
  }
  switch (mood) {
    case Mood::unavailable: return std::move(reply).send(503, ksn_server::refusal(Why::UNAVAILABLE, "the store is away", 1));
    case Mood::puts_aside:
      if (path == "/ksn/v1/statistics" || path == "/ksn/v1/content") break;
      return std::move(reply).send(503, ksn_server::refusal(Why::UNAVAILABLE, "the KSN behind the proxy cannot be reached", 0));
    case Mood::full:
      if (path != "/ksn/v1/statistics" && path != "/ksn/v1/content") break;
      return std::move(reply).send(429, ksn_server::refusal(Why::TOO_MANY, "as much waits here of this device as may wait of one", 60));
    case Mood::page:
      if (path != "/ksn/v1/statistics" && path != "/ksn/v1/content") break;
      return std::move(reply).send(200, "<html>Welcome</html>");
    case Mood::licence_unknown: return std::move(reply).send(403, ksn_server::refusal(Why::LICENCE_UNKNOWN, "this licence is not known", 1));
    case Mood::licence_expired: return std::move(reply).send(403, ksn_server::refusal(Why::LICENCE_EXPIRED, "it ended yesterday", 1));
    case Mood::malformed: return std::move(reply).send(200, "\xff\xff\xff not protobuf");
    case Mood::huge: return std::move(reply).send(200, std::string(ksn::kMostReplyBytes + 1000, '\x0a'));
    default: break;
  }
  if (path == "/ksn/v1/hello") {
    {
      const std::lock_guard lock(mutex_);
      ++seen_.hellos;
    }
    ksn_v1::HelloReply hello;
    hello.set_ksn(name_);
    hello.set_private_ksn(private_);
    hello.set_now(now_seconds());
    return std::move(reply).send(200, hello.SerializeAsString());
  }
  if (path == "/ksn/v1/ask") {
    ksn_v1::AskRequest ask;
    if (!ask.ParseFromString(body)) return std::move(reply).send(400, ksn_server::refusal(Why::MALFORMED, "no AskRequest"));
    {
      const std::lock_guard lock(mutex_);
      ++seen_.asks;
      seen_.requests.push_back(ask);
    }
    auto bytes = answer_ask(ask, mood);
    if (mood == Mood::truncated) bytes.resize(bytes.size() / 2);
    return std::move(reply).send(200, std::move(bytes));
  }
  if (path == "/ksn/v1/statistics") {
    ksn_v1::StatisticsRequest statistics;
    if (!statistics.ParseFromString(body)) return std::move(reply).send(400, ksn_server::refusal(Why::MALFORMED, "no StatisticsRequest"));
    const std::lock_guard lock(mutex_);
    seen_.statistics.push_back(statistics);
    return std::move(reply).send(200, ksn_v1::Accepted().SerializeAsString());
  }
  if (path == "/ksn/v1/content") {
    ksn_v1::ContentRequest content;
    if (!content.ParseFromString(body)) return std::move(reply).send(400, ksn_server::refusal(Why::MALFORMED, "no ContentRequest"));
    if (!takes_content_) return std::move(reply).send(409, ksn_server::refusal(Why::NOT_TAKEN, "nobody wants it"));
    return std::move(reply).send(200, take_part(content));
  }
  std::move(reply).send(404, ksn_server::refusal(Why::UNKNOWN_REQUEST, "no such path"));
}

}  // namespace picket::support
