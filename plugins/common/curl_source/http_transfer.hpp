// A fetch from a web server, or from the first of its mirrors that gives the file.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "curl_source/http_target.hpp"
#include "curl_source/packed.hpp"
#include "curl_source/transfer.hpp"

namespace curl_source {

// Which addresses did not work a moment ago, so that each file need not find it out anew. Any thread.
class Shunned {
 public:
  void add(const std::string& address, bool no_https);
  enum class Why { not_at_all, failed, no_https };
  [[nodiscard]] Why look(const std::string& address) const;

 private:
  struct Entry {
    std::chrono::steady_clock::time_point until;
    bool no_https = false;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

class HttpTransfer : public Transfer {
 public:
  // plain_places: nullptr for servers that pack what they send themselves, as points do: then nothing is asked for that lies packed.
  HttpTransfer(Order order, HttpTarget target, std::string user_agent, std::shared_ptr<Shunned> shunned, std::shared_ptr<PlainPlaces> plain_places = nullptr)
      : Transfer(std::move(order)), target_(std::move(target)), user_agent_(std::move(user_agent)), shunned_(std::move(shunned)), plain_places_(std::move(plain_places)) {}

 protected:
  [[nodiscard]] Outcome<> begin() override;
  void look_at_head() override;
  [[nodiscard]] Step judge(CURLcode code) override;
  [[nodiscard]] bool try_another(Failure& failure) override;
  [[nodiscard]] bool may_go_elsewhere() const;
  // Another server from the next attempt on; nothing of the one before stays.
  [[nodiscard]] Outcome<> use(HttpTarget target);

 private:
  [[nodiscard]] std::string header(const char* name) const;
  [[nodiscard]] Step judge_range();
  [[nodiscard]] Step redirect();
  [[nodiscard]] bool lies_plain(CURLcode code, long status) const;
  [[nodiscard]] Step ask_for_plain();
  void set_coding();
  void set_order();
  [[nodiscard]] Outcome<> go_to_base();

  HttpTarget target_;
  const std::string user_agent_;
  const std::shared_ptr<Shunned> shunned_;
  const std::shared_ptr<PlainPlaces> plain_places_;
  bool plain_ = false;       // no packed file is asked for any more
  List headers_;
  unsigned redirects_ = 0;
  std::size_t at_ = 0;       // which of target_.bases
  bool no_https_ = false;    // this attempt failed because nothing speaks https there
  std::string earlier_;      // what the attempts before this one failed of
};

}  // namespace curl_source
