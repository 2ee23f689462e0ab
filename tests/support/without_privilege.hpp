// While it lives, this thread opens files as a user who owns none: root would be let in everywhere.
#pragma once

#include <sys/fsuid.h>
#include <unistd.h>

namespace picket::support {

class WithoutPrivilege {
 public:
  WithoutPrivilege() {
    if (::geteuid() != 0) return;
    ::setfsgid(kNobody);
    ::setfsuid(kNobody);  // takes the capabilities that overrule permissions, too
  }
  ~WithoutPrivilege() {
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
  }
  WithoutPrivilege(const WithoutPrivilege&) = delete;
  WithoutPrivilege& operator=(const WithoutPrivilege&) = delete;

 private:
  static constexpr unsigned kNobody = 65534;
};

}  // namespace picket::support
