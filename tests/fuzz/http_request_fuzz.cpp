// A request's head, a range, a demand and a chain of points from bytes of anybody: no crash, and what was taken keeps its promises.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "chain.hpp"
#include "demand.hpp"
#include "http_request.hpp"

namespace dp = distribution_point;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  dp::Request request;
  const auto parsed = dp::parse_request(bytes, request);
  if (parsed.what == dp::Parsed::What::complete) {
    if (parsed.head_bytes > size || parsed.head_bytes > dp::kMostHead || request.path.empty() || request.path.front() != '/' || request.body_bytes > dp::kMostBody) std::abort();
    if (request.path.find('\0') != request.path.npos) std::abort();
    // What is behind the head must not matter to it.
    dp::Request again;
    if (dp::parse_request(bytes.substr(0, parsed.head_bytes), again).what != dp::Parsed::What::complete || again.path != request.path) std::abort();
  }
  if (parsed.what == dp::Parsed::What::bad && (parsed.status < 400 || parsed.status > 599)) std::abort();
  for (const std::string_view range : {request.range, bytes})
    if (const auto part = dp::part_of(range, 1000); part && !part->unsatisfiable && (part->length == 0 || part->first + part->length > 1000)) std::abort();
  (void)dp::parse_http_date(bytes);
  (void)dp::parse_announcement(bytes);
  const auto chain = dp::parse_chain(bytes);
  if (chain.size() > dp::kMostChain + 1 || dp::parse_chain(dp::to_header(chain)) != chain) std::abort();
  return 0;
}
