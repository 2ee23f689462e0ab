// A third party's settings schema: compiled or refused, and never slow, deep or endless, whatever it says about whatever values.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/schema.hpp"
#include "trust/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace picket;
  // Schema, then after a zero byte the values.
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto zero = input.find('\0');
  const auto schema = policy::CompiledSchema::compile(input.substr(0, zero));
  if (!schema) {
    if (schema.error().message.empty() || schema.error().message.find('\n') != std::string_view::npos) std::abort();
    return 0;
  }
  auto values = trust::parse_strict(zero == input.npos ? std::string_view("{}") : input.substr(zero + 1), {}, trust::Numbers::any);
  if (!values) return 0;
  (void)schema->check(*values);
  if (schema->fill_defaults(*values)) (void)schema->check(*values);
  return 0;
}
