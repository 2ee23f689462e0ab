// A client over a TufRepo, with its own folder, clock, faulty disk and list of events.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tuf_repo_builder.hpp"
#include "trust/client.hpp"
#include "trust/client/disk.hpp"

namespace picket::support {

// Fails the n-th change (write or remove) and, as a machine that lost its power would, all that follow.
class FaultyDisk : public trust::RealDisk {
 public:
  int changes = 0;
  int fail_from = 0;  // 1: the first; 0: never
  bool real = false;  // fsync and rename as in production: on a busy disk a hundred times slower
  bool torn = false;  // the failing write leaves half a file, as a file system without order may

  Result<> write(std::span<const NewFile> files) override {
    for (const auto& file : files) {
      if (due()) {
        if (torn && changes == fail_from) (void)put(file.path, file.bytes.substr(0, file.bytes.size() / 2));
        return fail(Code::io, cat("write ", file.path.native(), ": injected"));
      }
      PICKET_TRY(real ? RealDisk::write({&file, 1}) : put(file.path, file.bytes));
    }
    return {};
  }
  Result<> remove(const std::filesystem::path& file) override {
    if (!due()) return RealDisk::remove(file);
    return fail(Code::io, cat("remove ", file.native(), ": injected"));
  }

 private:
  static Result<> put(const std::filesystem::path& file, std::string_view bytes) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) return fail(Code::io, cat("write ", file.native()));
    return {};
  }
  bool due() { return ++changes >= fail_from && fail_from != 0; }
};

class TufClientTest : public testing::Test {
 protected:
  [[nodiscard]] trust::ClientOptions options() {
    trust::ClientOptions out;
    out.metadata_dir = folder_ / "metadata";
    out.limits = limits_;
    out.now = [this] { return now_; };
    out.pinned_root = pinned_root_;
    if (keep_marks_) out.high_water_file = folder_ / "marks";
    out.event = [this](std::string_view text) { events_.emplace_back(text); };
    out.disk = &disk_;
    return out;
  }
  [[nodiscard]] std::unique_ptr<trust::Client> open() { return trust::Client::open(options(), repo_).value(); }
  // As one process would: open, refresh, close.
  [[nodiscard]] Result<> refresh() {
    repo_.requests.clear();
    return open()->refresh();
  }
  [[nodiscard]] Result<> init() { return open()->init(repo_.first_root()); }
  [[nodiscard]] Result<> init_and_refresh() {
    PICKET_TRY(init());
    return refresh();
  }
  [[nodiscard]] Result<std::optional<trust::Target>> find(std::string_view path) {
    repo_.requests.clear();
    const auto client = open();
    PICKET_TRY(client->refresh());
    return client->find_target(path);
  }
  [[nodiscard]] std::string stored(const std::string& file) const { return read_file(folder_ / "metadata" / file, 100u << 20).value_or(""); }
  void store(const std::string& file, std::string_view bytes) const {
    ASSERT_TRUE(std::ofstream(folder_ / "metadata" / file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size())).good());
  }
  // Version in a stored file, 0: absent.
  [[nodiscard]] std::int64_t version(const std::string& role) const;
  [[nodiscard]] bool told(std::string_view text) const {
    for (const auto& event : events_)
      if (event.find(text) != std::string::npos) return true;
    return false;
  }

  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  TufRepo repo_;
  trust::UnixTime now_ = TufRepo::start;
  trust::Limits limits_;
  std::optional<std::string> pinned_root_;
  bool keep_marks_ = false;
  std::vector<std::string> events_;
  FaultyDisk disk_;
};

inline std::int64_t TufClientTest::version(const std::string& role) const {
  const auto text = stored(trust::encode_role(role) + ".json");
  const auto at = text.find("\"version\":", text.find("\"signed\":"));
  // meta entries have versions too: the role's own is the one beside spec_version, which the builder writes before it.
  return text.empty() || at == std::string::npos ? 0 : std::atoll(text.c_str() + at + 10);
}

template <class T>
[[nodiscard]] std::string why(const Result<T>& result) {
  return result ? "ok" : std::string(to_string(result.error().code)) + ": " + result.error().message;
}

template <class T>
[[nodiscard]] testing::AssertionResult is_ok(const char* what, const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << what << " failed with " << why(result);
}

template <class T>
[[nodiscard]] testing::AssertionResult fails_with(const char* what, const char*, const char*, const Result<T>& result, Code code, std::string_view text) {
  if (!result && result.error().code == code && result.error().message.find(text) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << what << ": wanted " << to_string(code) << " with '" << text << "', got " << why(result);
}

}  // namespace picket::support

// Predicates of gtest, so that a test can add its own words with <<.
#define EXPECT_OK(expression) EXPECT_PRED_FORMAT1(::picket::support::is_ok, expression)
#define ASSERT_OK(expression) ASSERT_PRED_FORMAT1(::picket::support::is_ok, expression)
#define EXPECT_FAILS(expression, expected_code, text) EXPECT_PRED_FORMAT3(::picket::support::fails_with, expression, expected_code, text)
