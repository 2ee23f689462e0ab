// A reply of anybody is refused; the same answers, truly signed, are accepted when within the limits, and refused again with one byte changed.
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
  std::string keyid = key.public_key().key_id();
  Verifier verifier{{key.public_key()}, "fuzz", true};
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  v1::AskReply reply;
  if (!reply.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (auto proven = world.verifier.verify(reply, 1000); proven && !proven->empty()) std::abort();  // nobody else has the key
  if (reply.answers_size() == 0 || reply.answers_size() > 16) return 0;

  std::vector<std::string_view> records;
  for (const auto& answer : reply.answers()) records.push_back(answer.record());
  const auto paths = merkle_paths(records);
  v1::Head head;
  head.set_root(merkle_root(records));
  head.set_leaves(records.size());
  head.set_ksn("fuzz");
  head.set_private_ksn(true);
  head.set_issued(900);
  v1::AskReply good;
  if (!sign_head(head, world.key, world.keyid, *good.add_heads())) std::abort();
  bool sound = true;
  const bool with_paths = size % 2 == 1 && records.size() > 1;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto* answer = good.add_answers();
    answer->set_record(std::string(records[i]));
    if (with_paths) answer->set_path(paths[i]), answer->set_leaf(i);
    v1::Record record;
    sound = sound && record.ParseFromString(answer->record()) && check_record(record);
  }
  const auto proven = world.verifier.verify(good, 1000);
  if (proven.has_value() != sound) std::abort();
  if (!proven) return 0;
  for (std::size_t i = 0; i < records.size(); ++i)
    if ((*proven)[i].record != records[i] || (*proven)[i].path != paths[i]) std::abort();
  auto* changed = good.mutable_answers(static_cast<int>(size % records.size()))->mutable_record();
  if (changed->empty()) return 0;
  (*changed)[size % changed->size()] = static_cast<char>((*changed)[size % changed->size()] ^ 0x10);
  if (world.verifier.verify(good, 1000)) std::abort();
  return 0;
}
