// The plugin: its settings; the rest is file_source's.
#pragma once

#include <picket/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "file_source/desk.hpp"

namespace source_folder {

class SourceFolder {
 public:
  explicit SourceFolder(picket::plugin::Host host) : SourceFolder(host, file_source::local_store(), std::chrono::seconds(2)) {}
  // For tests: a file system that hangs or fails, and how long stop waits for it.
  SourceFolder(picket::plugin::Host host, std::shared_ptr<file_source::Store> store, std::chrono::milliseconds stop_patience)
      : host_(host), desk_(host, "folder", std::move(store), stop_patience) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  void stop() { desk_.stop(); }
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request) { desk_.on_request(request_id, request); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes) { desk_.on_credit(request_id, bytes); }
  void on_cancel(std::uint64_t request_id) { desk_.on_cancel(request_id); }
  void on_timer(std::uint64_t timer_id);

 private:
  picket::plugin::Host host_;
  file_source::Desk desk_;
};

}  // namespace source_folder
