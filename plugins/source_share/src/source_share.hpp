// The plugin: its settings; the rest is file_source's, with one worker for all of smb://, since libsmbclient is not made for threads.
#pragma once

#include <picket/plugin.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

#include "file_source/desk.hpp"
#include "smb_store.hpp"

namespace source_share {

class SourceShare {
 public:
  explicit SourceShare(picket::plugin::Host host) : host_(host), store_(std::make_shared<SmbStore>()), desk_(host, "share", store_) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop() { desk_.stop(); }
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request) { desk_.on_request(request_id, request); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes) { desk_.on_credit(request_id, bytes); }
  void on_cancel(std::uint64_t request_id) { desk_.on_cancel(request_id); }

 private:
  picket::plugin::Host host_;
  std::shared_ptr<SmbStore> store_;
  file_source::Desk desk_;
};

}  // namespace source_share
