// The agent's sources and wishes over the bus. Used on the download's thread.
#pragma once

#include <atomic>

#include "asker.hpp"
#include "upstream.hpp"

namespace distribution_point {

class BusUpstream final : public Upstream {
 public:
  BusUpstream(picket::plugin::Asker& asker, const std::atomic<bool>& cancelled) : asker_(asker), cancelled_(cancelled) {}
  picket::Result<Roads> roads(std::uint64_t run) override;
  picket::Result<std::vector<AgentWish>> agent_demand() override;
  picket::Result<Got> fetch(const Road& road, std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) override;

 private:
  picket::plugin::Asker& asker_;
  const std::atomic<bool>& cancelled_;
  std::string told_;
  std::uint32_t connect_ms_ = 10'000, stall_ms_ = 30'000, least_ = 1;
};

}  // namespace distribution_point
