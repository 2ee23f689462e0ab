// A fetch over FTP, FTPS or SFTP.
#pragma once

#include "curl_source/transfer.hpp"
#include "ftp_target.hpp"
#include "host_key.hpp"

namespace source_ftp {

class FtpTransfer : public curl_source::Transfer {
 public:
  FtpTransfer(curl_source::Order order, Target target) : Transfer(std::move(order)), target_(std::move(target)) {}

 protected:
  [[nodiscard]] curl_source::Outcome<> begin() override;
  void look_at_head() override;
  [[nodiscard]] Step judge(CURLcode code) override;
  [[nodiscard]] std::chrono::milliseconds look_again() const override;
  [[nodiscard]] bool watches_connecting() const override { return target_.scheme == Target::Scheme::sftp; }

 private:
  void set_ftp();
  void set_ssh();
  [[nodiscard]] curl_source::Failure failure_of(CURLcode code) const;

  Target target_;
  HostKeyVerdict host_key_;
  std::uint64_t start_ = 0;  // where this attempt begins: 0 once the server could not resume
};

}  // namespace source_ftp
