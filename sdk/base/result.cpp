#include "base/result.hpp"

#include <cerrno>
#include <system_error>

namespace picket {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::denied: return "denied";
    case Code::busy: return "busy";
    case Code::not_found: return "not found";
    case Code::timeout: return "timeout";
    case Code::cancelled: return "cancelled";
    case Code::unavailable: return "unavailable";
    case Code::io: return "input/output error";
    case Code::no_space: return "no space";
    case Code::untrusted: return "untrusted";
    case Code::expired: return "expired";
    case Code::too_large: return "too large";
    case Code::conflict: return "conflict";
    case Code::unsupported: return "unsupported";
    case Code::internal: return "internal error";
  }
  return "unknown";
}

namespace {
Code code_of(int value) {
  switch (value) {
    case ENOENT: case ENOTDIR: return Code::not_found;
    case EACCES: case EPERM: case EROFS: case ELOOP: return Code::denied;
    case ENOSPC: case EDQUOT: return Code::no_space;
    case EAGAIN: return Code::busy;
    case ETIMEDOUT: return Code::timeout;
    case ECONNREFUSED: case ECONNRESET: case EPIPE: case EHOSTUNREACH: case ENETUNREACH: return Code::unavailable;
    case EEXIST: return Code::conflict;
    case ENAMETOOLONG: case EFBIG: case EMSGSIZE: return Code::too_large;
    default: return Code::io;
  }
}
}  // namespace

tl::unexpected<Error> fail_errno(std::string_view doing) { return fail_errno(doing, errno); }

tl::unexpected<Error> fail_errno(std::string_view doing, int errno_value) {
  return fail(code_of(errno_value), cat(doing, ": ", std::system_category().message(errno_value)));
}

}  // namespace picket
