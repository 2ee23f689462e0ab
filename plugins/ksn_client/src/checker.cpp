#include "checker.hpp"

#include <array>
#include <utility>

namespace ksn_client {
namespace {

// A Checked is put together by hand: facts are kept as on the wire, and most answers are nothing else.
constexpr std::size_t kMostVarint = 10;
char* put_varint(char* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}
void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  char head[2 * kMostVarint];
  const char* const end = put_varint(put_varint(head, field << 3 | 2), bytes.size());
  out.append(head, static_cast<std::size_t>(end - head));
  out.append(bytes);
}
void put_number(std::string& out, unsigned field, std::uint64_t value) {
  if (value == 0) return;
  char both[2 * kMostVarint];
  const char* const end = put_varint(put_varint(both, field << 3), value);
  out.append(both, static_cast<std::size_t>(end - both));
}

}  // namespace

// Facts.verdict is field 1, and comes first when it is there at all.
v1::Verdict verdict_in(std::string_view facts) {
  if (facts.size() < 2 || facts[0] != 0x08) return v1::VERDICT_UNKNOWN;
  const auto value = static_cast<unsigned char>(facts[1]);
  return value <= v1::VERDICT_UNTRUSTED ? static_cast<v1::Verdict>(value) : v1::VERDICT_UNKNOWN;
}

std::string facts_for(const Key& full, const Key& asked, std::string_view value) {
  if (!asked.is_prefix()) return std::string(value);
  v1::UnderPrefix list;
  if (!list.ParseFromArray(value.data(), static_cast<int>(value.size()))) return {};
  for (const auto& found : list.found())
    if (found.digest() == full.asked()) return found.facts().SerializeAsString();
  v1::Facts unknown;
  unknown.set_ttl_seconds(list.ttl_seconds());
  return unknown.SerializeAsString();
}

struct Checker::Question {
  enum class State : std::uint8_t { open, local, excluded, cached, network, refused };
  Asked asked;
  State state = State::open;
  std::size_t which = 0;       // of the keys: the one that decided
  v1::Checked::From from = v1::Checked::NOBODY;
  std::string facts;           // as on the wire
  std::string why;
};
struct Checker::Job {
  std::shared_ptr<const Policy> policy;
  std::vector<Question> questions;
  struct Missing {
    std::size_t question, key;
    Key full;
  };
  std::vector<Missing> missing;
  Done done;
};

std::shared_ptr<const Checker::Policy> Checker::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}
void Checker::use(Policy policy) {
  auto next = std::make_shared<const Policy>(std::move(policy));
  const std::lock_guard lock(mutex_);
  policy_ = std::move(next);
}

void Checker::check(const v1::CheckRequest& request, std::chrono::milliseconds deadline, Done done) {
  if (request.objects_size() > kMostObjects) return done(fail(Code::too_large, "more than 10000 objects in one request"));
  auto job = std::make_shared<Job>();
  job->policy = policy();
  const Policy& policy = *job->policy;
  const auto settled = parts_.broker.settled();  // before the first look into the cache
  const auto now = parts_.now();
  std::string may_not[4];
  bool looked[4] = {};
  job->questions.resize(static_cast<std::size_t>(request.objects_size()));
  for (int i = 0; i < request.objects_size(); ++i) {
    auto& question = job->questions[static_cast<std::size_t>(i)];
    auto asked = asked_of(request.objects(i));
    if (!asked) {
      question.state = Question::State::refused;
      question.why = asked.error().message;
      continue;
    }
    question.asked = std::move(*asked);
    const auto& keys = question.asked.keys;
    if (policy.local) {
      if (const auto said = policy.local->find(question.asked)) {
        question.state = said->excluded ? Question::State::excluded : Question::State::local;
        question.which = said->which;
        question.from = v1::Checked::LOCAL;
        question.facts = said->facts.SerializeAsString();
        continue;
      }
    }
    const std::uint32_t prefix = question.asked.kind == v1::OBJECT_FILE ? policy.file_prefix : question.asked.kind == v1::OBJECT_ADDRESS ? policy.address_prefix : policy.software_prefix;
    // The most exact key of which something is known decides. What is not known of a more exact one must be asked first.
    const std::size_t first_missing = job->missing.size();
    for (std::size_t k = 0; k < keys.size(); ++k) {
      std::string facts;
      bool have = policy.cache && policy.cache->find(keys[k], now, [&](std::string_view value) { facts = value; });
      if (!have && prefix != 0 && policy.cache) {
        const Key part = keys[k].prefix(prefix);
        have = policy.cache->find(part, now, [&](std::string_view value) { facts = facts_for(keys[k], part, value); });
      }
      if (!have) {
        job->missing.push_back({static_cast<std::size_t>(i), k, prefix != 0 ? keys[k].prefix(prefix) : keys[k]});
        continue;
      }
      const auto verdict = verdict_in(facts);
      if (question.state != Question::State::cached || (verdict != v1::VERDICT_UNKNOWN && verdict_in(question.facts) == v1::VERDICT_UNKNOWN)) {
        question.state = Question::State::cached;
        question.from = v1::Checked::CACHE;
        question.which = k;
        question.facts = std::move(facts);
      }
      if (verdict != v1::VERDICT_UNKNOWN) break;
    }
    if (job->missing.size() > first_missing && verdict_in(question.facts) == v1::VERDICT_UNKNOWN) question.state = Question::State::open;
    if (job->missing.size() == first_missing) continue;
    const auto kind = static_cast<std::size_t>(question.asked.kind) & 3;
    if (!std::exchange(looked[kind], true)) may_not[kind] = parts_.may_not(question.asked.kind);
    std::string why = request.known_only() ? "not known on this computer" : may_not[kind];
    if (why.empty()) {
      if (parts_.asks) parts_.asks(request.objects(i));
      continue;
    }
    job->missing.resize(first_missing);
    if (question.state != Question::State::open) continue;  // a less exact answer is known
    question.state = Question::State::refused;
    question.from = v1::Checked::NOBODY;
    question.facts.clear();
    question.why = std::move(why);
  }
  job->done = std::move(done);
  if (job->missing.empty()) return job->done(reply(*job));
  std::vector<Key> keys;
  keys.reserve(job->missing.size());
  for (const auto& missing : job->missing) keys.push_back(missing.full);
  parts_.broker.ask(std::move(keys), deadline, [this, job](std::vector<Answered> answers) {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& missing = job->missing[i];
      auto& question = job->questions[missing.question];
      const Key& full = question.asked.keys[missing.key];
      if (answers[i].from == v1::Checked::NOBODY) {
        if (question.why.empty()) question.why = answers[i].why;
        continue;
      }
      std::string facts = facts_for(full, missing.full, *answers[i].value);
      const auto verdict = verdict_in(facts);
      const bool first = question.from == v1::Checked::NOBODY;
      const bool better = verdict != v1::VERDICT_UNKNOWN && (verdict_in(question.facts) == v1::VERDICT_UNKNOWN || missing.key < question.which);
      // Where a single key had to be asked of the network, the cache alone has not answered.
      if (first || answers[i].from != v1::Checked::CACHE) question.from = answers[i].from;
      if (!better && !first) continue;
      question.which = missing.key;
      question.facts = std::move(facts);
    }
    for (auto& question : job->questions) {
      if (question.state != Question::State::open && question.state != Question::State::cached) continue;
      // Unknown counts only when every key was answered.
      const bool complete = question.why.empty() || verdict_in(question.facts) != v1::VERDICT_UNKNOWN;
      question.state = question.from == v1::Checked::NOBODY || !complete ? Question::State::refused : question.from == v1::Checked::CACHE ? Question::State::cached : Question::State::network;
      if (question.state == Question::State::refused) question.from = v1::Checked::NOBODY;
    }
    job->done(reply(*job));
  }, settled);
}

// Added up first: an atomic counter costs as much as finding what is counted.
void Checker::count(const Job& job) {
  std::array<std::uint64_t, 4> kinds{}, verdicts{};
  std::uint64_t local = 0, cached = 0, network = 0, unanswered = 0;
  for (const auto& question : job.questions) {
    ++kinds[static_cast<std::size_t>(question.asked.kind) & 3];
    ++(question.from == v1::Checked::LOCAL ? local : question.from == v1::Checked::CACHE ? cached : question.from == v1::Checked::NOBODY ? unanswered : network);
    if (question.from != v1::Checked::NOBODY) ++verdicts[verdict_in(question.facts)];
  }
  const auto add = [](std::atomic<std::uint64_t>& counter, std::uint64_t number) {
    if (number != 0) counter.fetch_add(number, std::memory_order_relaxed);
  };
  add(counters_.files, kinds[v1::OBJECT_FILE]), add(counters_.addresses, kinds[v1::OBJECT_ADDRESS]), add(counters_.software, kinds[v1::OBJECT_SOFTWARE] + kinds[0]);
  add(counters_.local, local), add(counters_.cached, cached), add(counters_.network, network), add(counters_.unanswered, unanswered);
  add(counters_.trusted, verdicts[v1::VERDICT_TRUSTED]), add(counters_.abusable, verdicts[v1::VERDICT_ABUSABLE]);
  add(counters_.untrusted, verdicts[v1::VERDICT_UNTRUSTED]), add(counters_.unknown, verdicts[v1::VERDICT_UNKNOWN]);
}

void Checker::append(const Question& question, std::string_view whose, std::string& one, std::string& out) {
  one.clear();
  put_number(one, 1, static_cast<std::uint64_t>(question.from));
  if (question.from == v1::Checked::NOBODY) {
    put_bytes(one, 6, question.why.empty() ? std::string_view("no answer") : std::string_view(question.why));
  } else {
    put_bytes(one, 2, question.facts);
    if (question.from != v1::Checked::LOCAL) one += whose;
    if (!question.asked.names.empty() && verdict_in(question.facts) != v1::VERDICT_UNKNOWN) put_bytes(one, 5, question.asked.names[question.which]);
    if (question.state == Question::State::excluded) put_bytes(one, 6, "excluded by the administrator: not asked");
  }
  put_bytes(out, 1, one);
}

std::string Checker::reply(const Job& job) {
  count(job);
  std::string out, one, whose;  // which KSN: the same in every answer
  put_bytes(whose, 3, job.policy->ksn);
  put_number(whose, 4, job.policy->private_ksn ? 1 : 0);
  out.reserve(job.questions.size() * 96);
  bool unanswered = false;
  for (const auto& question : job.questions) {
    append(question, whose, one, out);
    unanswered = unanswered || question.from == v1::Checked::NOBODY;
  }
  if (unanswered) put_bytes(out, 2, parts_.status_line());
  return out;
}

}  // namespace ksn_client
