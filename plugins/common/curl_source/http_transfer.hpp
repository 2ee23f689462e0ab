// A fetch from a web server.
#pragma once

#include "curl_source/http_target.hpp"
#include "curl_source/transfer.hpp"

namespace curl_source {

class HttpTransfer : public Transfer {
 public:
  HttpTransfer(Order order, HttpTarget target, std::string user_agent)
      : Transfer(std::move(order)), target_(std::move(target)), user_agent_(std::move(user_agent)) {}

 protected:
  [[nodiscard]] Outcome<> begin() override;
  void look_at_head() override;
  [[nodiscard]] Step judge(CURLcode code) override;

 private:
  [[nodiscard]] std::string header(const char* name) const;
  [[nodiscard]] Step judge_range();
  [[nodiscard]] Step redirect();

  HttpTarget target_;
  const std::string user_agent_;
  List headers_;
  unsigned redirects_ = 0;
};

}  // namespace curl_source
