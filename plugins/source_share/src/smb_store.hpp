// Files on SMB shares through libsmbclient, which is not made for threads: one job at a time.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "file_source/store.hpp"
#include "share_target.hpp"

namespace source_share {

// What begins with smb:// from the share, everything else as a local path.
class SmbStore final : public file_source::Store {
 public:
  void allow_guest(bool allowed) { allow_guest_ = allowed; }

  [[nodiscard]] file_source::Outcome<> check(const picket::source::v1::Source& source) const override;
  [[nodiscard]] std::string lane(const picket::source::v1::Source& source) const override;  // one for all of libsmbclient
  [[nodiscard]] file_source::Outcome<> probe(const picket::source::v1::Source& source) override;
  [[nodiscard]] file_source::Outcome<std::unique_ptr<file_source::File>> open(const picket::source::v1::Source& source, const std::vector<std::string>& parts,
                                                                              file_source::Wait wait) override;

 private:
  std::atomic<bool> allow_guest_ = true;
  const std::unique_ptr<file_source::Store> local_ = file_source::local_store();
};

}  // namespace source_share
