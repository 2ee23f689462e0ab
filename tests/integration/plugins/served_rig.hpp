// What the tests of sources against real servers have in common: what is served, and what a fetch of it must bring.
#pragma once

#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/result.hpp"
#include "unit/plugins/source_rig.hpp"

namespace picket::plugin_tests {

class ServedRig : public SourceRig {
 protected:
  // In root_: targets/f, two million bytes, and what a probe looks for.
  void load_source(const std::string& id, const std::string& settings = "{}") {
    load(PICKET_TEST_LIBRARY, id, settings);
    content_ = pattern(2'000'000);
    root_.write("targets/f", content_);
    root_.write("metadata/timestamp.json", "{}");
  }
  template <class Server>
  static std::unique_ptr<Server> must(Result<std::unique_ptr<Server>> started) {
    if (!started) throw std::runtime_error(started.error().message);
    return std::move(*started);
  }
  [[nodiscard]] virtual std::string server_log() const = 0;

  void expect_all(const Fetched& got) {
    ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload << server_log();
    EXPECT_TRUE(got.answer.stream == content_);
    EXPECT_EQ(got.reply.offset(), 0u);
    EXPECT_EQ(got.reply.size(), content_.size());
  }
  void expect(const Fetched& got, picket_status status, const std::string& text) {
    EXPECT_EQ(got.answer.status, status) << got.answer.payload;
    EXPECT_NE(got.answer.payload.find(text), std::string::npos) << got.answer.payload;
    EXPECT_EQ(got.answer.payload.find(kSecret), std::string::npos);
    EXPECT_EQ(got.answer.stream.size(), 0u);
  }
  // Writes a file, and NAME.gz beside it as picket-repo does.
  void write_with_packed(const std::string& name, const std::string& content) {
    root_.write(name, content);
    ASSERT_EQ(std::system(("gzip -kn '" + (root_.path() / name).string() + "'").c_str()), 0);
  }
  // `request` is for targets/f. Beyond its end the error has this text.
  void expect_resumed(source::v1::FetchRequest request, const std::string& beyond) {
    request.set_offset(1'234'567);
    const auto rest = fetch(request);
    ASSERT_EQ(rest.answer.status, PICKET_OK) << rest.answer.payload << server_log();
    EXPECT_TRUE(rest.answer.stream == content_.substr(1'234'567));
    EXPECT_EQ(rest.reply.offset(), 1'234'567u);
    EXPECT_EQ(rest.reply.size(), content_.size());
    request.set_max_bytes(1000);
    EXPECT_TRUE(fetch(request).answer.stream == content_.substr(1'234'567, 1000));
    request.set_offset(content_.size());
    const auto nothing = fetch(request);
    EXPECT_EQ(nothing.answer.status, PICKET_OK) << nothing.answer.payload;
    EXPECT_EQ(nothing.reply.sent(), 0u);
    request.set_offset(content_.size() + 1);
    expect(fetch(request), PICKET_E_IO, beyond);
  }
  void make_huge() {
    { std::ofstream sparse(root_.path() / "huge"); }
    std::filesystem::resize_file(root_.path() / "huge", std::uintmax_t{1} << 40);
  }
  void expect_no_more_than_asked_of_huge(source::v1::FetchRequest request) {
    request.set_max_bytes(500'000);
    const auto got = fetch(request);
    ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
    EXPECT_EQ(got.answer.stream.size(), 500'000u);
    EXPECT_EQ(got.reply.size(), std::uint64_t{1} << 40);
  }

  static constexpr const char* kSecret = "hunter2";
  TemporaryFolder root_;
  std::string content_;
};

}  // namespace picket::plugin_tests
