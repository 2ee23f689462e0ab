// The plugin: takes requests, gives each to a worker, and passes on credit and cancellation.
#pragma once

#include <picket/plugin.hpp>
#include <picket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "folder.hpp"
#include "workers.hpp"

namespace source_folder {

class SourceFolder {
 public:
  explicit SourceFolder(picket::plugin::Host host);
  // For tests: a file system that hangs or fails, and how long stop waits for it.
  SourceFolder(picket::plugin::Host host, std::shared_ptr<Folder> folder, std::chrono::milliseconds stop_patience);

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);

 private:
  using Answer = picket::plugin::Answer;
  // The open requests; shared with the workers, which take theirs out when it is answered.
  struct Open {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::shared_ptr<Answer>> answers;
  };

  template <class Request, class Run>
  void accept(std::uint64_t request_id, std::string_view payload, Run run);
  [[nodiscard]] std::shared_ptr<Answer> find(std::uint64_t request_id) const;

  picket::plugin::Host host_;
  std::shared_ptr<Folder> folder_;
  std::chrono::milliseconds stop_patience_;
  std::shared_ptr<Open> open_ = std::make_shared<Open>();
  std::unique_ptr<Workers> workers_;
};

}  // namespace source_folder
