// A reply of anybody is refused; the same answers, truly signed, are accepted when within the limits, and refused again with one bit changed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "ksn/answers.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace {
using namespace picket::ksn;

struct World {
  picket::trust::PrivateKey key = picket::trust::PrivateKey::generate("ed25519").value();
  Verifier verifier{{key.public_key()}, "fuzz", true};
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  v1::AskReply reply;
  if (!reply.ParseFromArray(data, static_cast<int>(size))) return 0;
  // Of full digests and of prefixes, by the size of the input.
  const std::string digest(size % 3 == 0 ? 4 : 32, 'd');
  const std::vector<Question> questions(static_cast<std::size_t>(reply.answers_size()), Question{v1::OBJECT_FILE, digest});
  if (auto proven = world.verifier.verify(reply, questions, 1000); proven && !proven->empty()) std::abort();  // nobody else has the key
  if (reply.answers_size() == 0 || reply.answers_size() > 16) return 0;

  v1::AskReply good;
  for (const auto& answer : reply.answers()) good.add_answers()->set_said(answer.said());
  if (!seal(good, questions, "fuzz", true, 900, world.key, true)) std::abort();
  auto each = good;
  each.clear_seal();
  const auto proven = world.verifier.verify(good, questions, 1000), one_by_one = world.verifier.verify(each, questions, 1000);
  if (proven.has_value() != one_by_one.has_value()) std::abort();
  if (!proven) return 0;
  for (std::size_t i = 0; i < questions.size(); ++i)
    if ((*proven)[i].said != (*one_by_one)[i].said || (*proven)[i].repeatable_until != (*one_by_one)[i].repeatable_until) std::abort();
  // One bit of what is signed.
  for (auto* changed : {&good, &each}) {
    auto* said = changed->mutable_answers(static_cast<int>(size % questions.size()))->mutable_said();
    if (said->empty()) continue;
    (*said)[size % said->size()] = static_cast<char>((*said)[size % said->size()] ^ 0x10);
    if (world.verifier.verify(*changed, questions, 1000)) std::abort();
  }
  return 0;
}
