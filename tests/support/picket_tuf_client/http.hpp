#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trust/client.hpp"

namespace picket::tuf_client {

// One libcurl handle, so one connection for everything that one server is asked.
class Http {
 public:
  Http();
  ~Http();
  // Gives what `url` holds to `sink`, piece by piece, at most max_bytes (Code::too_large beyond it). Code::not_found for 404 only.
  [[nodiscard]] Result<> get(const std::string& url, std::uint64_t max_bytes, const std::function<Result<>(std::string_view)>& sink);

 private:
  struct Free {
    void operator()(void* handle) const;
  };
  struct FreeList {
    void operator()(void* list) const;
  };
  std::unique_ptr<void, Free> handle_;
  std::unique_ptr<void, FreeList> headers_;
};

class HttpFetcher : public trust::Fetcher {
 public:
  HttpFetcher(Http& http, std::string base) : http_(http), base_(std::move(base)) {}
  [[nodiscard]] Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override;

 private:
  Http& http_;
  std::string base_;
};

// For commands that must not use the network.
class NoFetcher : public trust::Fetcher {
 public:
  [[nodiscard]] Result<std::string> fetch_metadata(std::string_view path, std::uint64_t max_bytes) override;
};

// base "/" path, with exactly one "/" between; the path's parts are percent-encoded where a URL needs it.
[[nodiscard]] std::string join_url(std::string_view base, std::string_view path, bool encode);

}  // namespace picket::tuf_client
