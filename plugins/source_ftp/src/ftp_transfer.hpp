// A fetch over FTP, FTPS or SFTP.
#pragma once

#include "curl_source/packed.hpp"
#include "curl_source/transfer.hpp"
#include "ftp_target.hpp"
#include "host_key.hpp"

namespace source_ftp {

class FtpTransfer : public curl_source::Transfer {
 public:
  FtpTransfer(curl_source::Order order, Target target, std::shared_ptr<curl_source::PlainPlaces> plain_places)
      : Transfer(std::move(order)), target_(std::move(target)), plain_places_(std::move(plain_places)) {}

 protected:
  [[nodiscard]] curl_source::Outcome<> begin() override;
  void look_at_head() override;
  [[nodiscard]] Step judge(CURLcode code) override;
  [[nodiscard]] std::chrono::milliseconds look_again() const override;
  void look_at_connection() override;
  [[nodiscard]] bool watches_connecting() const override { return target_.scheme == Target::Scheme::sftp; }

 private:
  void set_ftp();
  void set_ssh();
  [[nodiscard]] curl_source::Failure failure_of(CURLcode code) const;
  [[nodiscard]] bool lies_plain(CURLcode code) const;

  Target target_;
  const std::shared_ptr<curl_source::PlainPlaces> plain_places_;
  HostKeyVerdict host_key_;
  bool server_left_ = false;  // the connection has ended
  bool anew_ = false;         // asked again, on a new connection
  std::uint64_t start_ = 0;  // where this attempt begins: 0 once the server could not resume
};

}  // namespace source_ftp
