// The agent's sources and wishes over the bus. Used on the download's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "asker.hpp"
#include "upstream.hpp"

namespace distribution_point {

class BusUpstream final : public Upstream {
 public:
  BusUpstream(picket::plugin::Asker& asker, const std::atomic<bool>& cancelled) : asker_(asker), cancelled_(cancelled) {}
  picket::Result<Roads> roads(std::uint64_t run) override;
  picket::Result<std::vector<AgentWish>> agent_demand() override;
  void wants(std::vector<ComponentVariant> all) override { wanted_ = std::move(all); }
  picket::Result<Got> fetch(const Road& road, std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) override;
  void report(const Road& road, const picket::Error* error) override;

 private:
  picket::plugin::Asker& asker_;
  const std::atomic<bool>& cancelled_;
  std::string told_;
  std::vector<ComponentVariant> wanted_;
  std::uint32_t least_ = 1;
  std::optional<std::chrono::seconds> wish_;   // of the last fetch that failed: how long its source wants to be left alone
};

}  // namespace distribution_point
