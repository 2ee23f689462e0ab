// One connection: socket and TLS below, HTTP above. Belongs to one loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/files.hpp"
#include "ksn_server/protocol.hpp"
#include "tls_server/context.hpp"

namespace ksn_server {

class Loop;

class Connection final : public Upper {
 public:
  Connection(Loop& loop, std::uint64_t id, picket::UniqueFd socket, std::string peer, Budget& budget);
  ~Connection() override;

  // Epoll says so. False: it is over, destroy it.
  [[nodiscard]] bool on_ready(std::uint32_t events);
  [[nodiscard]] bool on_answer(std::uint32_t stream, int status, std::string body);
  // The server ends: what was asked, or is on its way, is answered, then it closes; to be called again and again. False: destroy it.
  [[nodiscard]] bool finish();
  // Once a second. False: too slow.
  [[nodiscard]] bool is_in_time();

  // ---- Upper
  void on_post(std::uint32_t stream, std::string_view path, std::string_view body) override;
  [[nodiscard]] bool page(std::string_view path, std::string& out) override;
  [[nodiscard]] std::string_view date() const override;
  [[nodiscard]] std::int64_t now_ms() const override;

  // An answer that the handler sends before it returns. False: not the request at hand.
  [[nodiscard]] bool answer_at_once(std::uint32_t stream, int status, std::string& body);

 private:
  enum class Io { done, blocked, over };
  [[nodiscard]] bool handshake();
  [[nodiscard]] bool read_some();
  [[nodiscard]] bool has_undelivered() const;
  void choose_protocol(std::string_view bytes);
  [[nodiscard]] bool carry_on();
  [[nodiscard]] Io flush();
  [[nodiscard]] Io tls_says(int result);
  void watch(std::uint32_t events);

  Loop& loop_;
  const std::uint64_t id_;
  picket::UniqueFd socket_;
  const std::string peer_;
  Budget& budget_;                       // the peer's
  tls_server::Connection tls_;
  std::unique_ptr<Protocol> protocol_;   // from the first bytes on
  std::string first_;                    // bytes before the protocol is known (plain only)
  std::size_t sent_ = 0;                 // of protocol_->out()
  std::uint32_t watched_ = 0;
  std::int64_t quiet_since_;             // last sign of life, or the last byte that the client took
  std::int64_t blocked_since_ = 0;
  std::int64_t farewell_since_ = 0;
  bool shaking_ = false, tls_wants_write_ = false;
  bool got_all_ = true;                  // OpenSSL wants more bytes before it gives any: what it holds is half a record
  std::uint32_t at_hand_ = 0;            // the stream whose handler runs; 0: none
};

}  // namespace ksn_server
