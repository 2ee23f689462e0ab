// HTTP/1.1 and HTTP/2 from bytes of anybody, in pieces: no crash, no more memory than is allowed, and all of it given back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "ksn_server/head.hpp"
#include "ksn_server/protocol.hpp"
#include "ksn_server/server.hpp"

namespace {

class Answerer final : public ksn_server::Upper {
 public:
  void on_post(std::uint32_t stream, std::string_view path, std::string_view body) override {
    if (!ksn_server::is_plain_path(path) || body.size() > ksn_server::body_limit(path)) std::abort();
    if (body.size() % 3 == 0) later.push_back(stream);
    else protocol->answer(stream, 200, std::string(body));
  }
  bool page(std::string_view path, std::string& out) override {
    out.assign(path == "/status" ? "page" : "");
    return !out.empty();
  }
  std::string_view date() const override { return "Sun, 22 Nov 2026 00:00:00 GMT"; }
  std::int64_t now_ms() const override { return 1; }
  ksn_server::Protocol* protocol = nullptr;
  std::vector<std::uint32_t> later;
};

void drive(bool is_2, std::string_view bytes) {
  ksn_server::Budget budget;
  budget.most = 300'000;
  {
    Answerer upper;
    const auto http = is_2 ? ksn_server::make_http2(upper, budget) : ksn_server::make_http1(upper, budget);
    upper.protocol = http.get();
    std::size_t step = 1;
    while (!bytes.empty() && !http->is_over()) {
      const auto size = std::min(step, bytes.size());
      if (http->takes_more()) {
        http->feed(bytes.substr(0, size));
        bytes.remove_prefix(size);
        step = step * 3 + 1;  // small pieces first, then large ones
      }
      if (!http->takes_more() || step % 2 == 0) {
        http->out().clear();
        for (const auto stream : std::exchange(upper.later, {})) http->answer(stream, 200, "later");
        http->out().clear();
        http->go_on();
      }
      if (budget.held > budget.most) std::abort();
      (void)http->receiving_since();
      (void)http->sending_since();
    }
  }
  if (budget.held != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  drive(false, bytes);
  drive(true, bytes);
  drive(true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(bytes));
  ksn_server::Head head;
  const auto parsed = ksn_server::parse_head(bytes, head);
  if (parsed.what == ksn_server::ParsedHead::What::complete && (parsed.bytes > size || !ksn_server::is_plain_path(head.path))) std::abort();
  return 0;
}
