#include "unit/plugins/source_rig.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace picket::plugin_tests;

namespace {

class SourceFolder : public SourceRig {
 protected:
  void SetUp() override {
    load(PICKET_TEST_LIBRARY, "org.picket.source-folder", R"({"parallel_fetches":2})", {"picket.source.appeared"});
    folder_.write("metadata/timestamp.json", "{}");
  }
  [[nodiscard]] std::string base() const { return folder_.path().string(); }
  TemporaryFolder folder_;
};

TEST_F(SourceFolder, brings_a_file_whole_in_order_and_says_where_it_is_from) {
  const std::string content = pattern(1'000'003);
  folder_.write("targets/rules/full/1.bin", content);
  const auto got = fetch(fetch_of(base(), "targets/rules/full/1.bin"));
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content);
  EXPECT_EQ(got.reply.size(), content.size());
  EXPECT_EQ(got.reply.offset(), 0u);
  EXPECT_EQ(got.reply.from(), base() + "/targets/rules/full/1.bin");
}

TEST_F(SourceFolder, begins_at_the_offset_and_stops_after_max_bytes) {
  const std::string content = pattern(300'000);
  folder_.write("f", content);
  auto request = fetch_of(base(), "f");
  request.set_offset(100'000);
  request.set_max_bytes(150'000);
  const auto got = fetch(request);
  ASSERT_EQ(got.answer.status, PICKET_OK) << got.answer.payload;
  EXPECT_TRUE(got.answer.stream == content.substr(100'000, 150'000));
  EXPECT_EQ(got.reply.offset(), 100'000u);
  EXPECT_EQ(got.reply.size(), 300'000u);
}

TEST_F(SourceFolder, has_nothing_to_send_from_the_very_end_and_refuses_to_begin_behind_it) {
  folder_.write("f", "12345");
  auto request = fetch_of(base(), "f");
  request.set_offset(5);
  EXPECT_EQ(fetch(request).reply.sent(), 0u);
  request.set_offset(6);
  const auto got = fetch(request);
  EXPECT_EQ(got.answer.status, PICKET_E_IO);
  EXPECT_NE(got.answer.payload.find("has only 5 bytes"), std::string::npos) << got.answer.payload;
}

TEST_F(SourceFolder, brings_an_empty_file) {
  folder_.write("empty", "");
  const auto got = fetch(fetch_of(base(), "empty"));
  EXPECT_EQ(got.answer.status, PICKET_OK);
  EXPECT_EQ(got.reply.sent(), 0u);
}

TEST_F(SourceFolder, writes_within_the_credit_however_small_and_waits_for_more) {
  const std::string content = pattern(20'000);
  folder_.write("f", content);
  const auto id = ask(fetch_of(base(), "f"), 1000);
  ASSERT_TRUE(begins(id));
  EXPECT_FALSE(host_.answer(id).done);
  const auto got = finish(id, 1000);  // the host refuses, and counts, what goes beyond credit
  EXPECT_TRUE(got.answer.stream == content);
}

TEST_F(SourceFolder, begins_without_credit_when_credit_comes_later) {
  folder_.write("f", "content");
  const auto id = ask(fetch_of(base(), "f"), 0);
  ASSERT_TRUE(host_.wait_for([&] { return host_.calls("stream_write") > 0; }));
  host_.grant(id, 7);
  ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }));
  EXPECT_EQ(host_.answer(id).stream, "content");
}

TEST_F(SourceFolder, stops_sending_when_cancelled_and_serves_others) {
  folder_.write("f", pattern(500'000));
  const auto id = ask(fetch_of(base(), "f"), 100);
  ASSERT_TRUE(begins(id));
  host_.cancel(id);
  // Two are served at the same time: neither the third nor the fourth would come if the cancelled one kept its thread.
  const auto second = ask(fetch_of(base(), "f"), 100);
  host_.cancel(second);
  EXPECT_EQ(fetch(fetch_of(base(), "metadata/timestamp.json")).answer.stream, "{}");
  EXPECT_EQ(fetch(fetch_of(base(), "metadata/timestamp.json")).answer.stream, "{}");
  EXPECT_FALSE(host_.answer(id).done);
  EXPECT_LE(host_.answer(id).stream.size(), 100u);
}

TEST_F(SourceFolder, answers_busy_when_too_much_waits) {
  folder_.write("f", pattern(10'000));
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 2 + 64 + 1; ++i) ids.push_back(ask(fetch_of(base(), "f"), 10));  // two run, 64 wait
  ASSERT_TRUE(host_.wait_for([&] { return host_.answer(ids.back()).done; }));
  EXPECT_EQ(host_.answer(ids.back()).status, PICKET_E_BUSY);
  for (const auto id : ids) host_.cancel(id);
}

TEST_F(SourceFolder, says_whether_the_folder_or_the_file_is_missing) {
  const auto no_folder = fetch(fetch_of(base() + "/usb", "f"));
  EXPECT_EQ(no_folder.answer.status, PICKET_E_UNAVAILABLE);
  EXPECT_EQ(no_folder.answer.payload, "folder " + base() + "/usb does not exist: is the drive plugged in?");
  const auto no_file = fetch(fetch_of(base(), "metadata/2.root.json"));
  EXPECT_EQ(no_file.answer.status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(no_file.answer.payload, base() + "/metadata/2.root.json does not exist");
  EXPECT_EQ(fetch(fetch_of(base() + "/metadata/timestamp.json", "f")).answer.status, PICKET_E_INVALID);
}

TEST_F(SourceFolder, says_when_a_drive_appears_that_was_asked_for_in_vain) {
  const auto stick = base() + "/media/stick", mounted = base() + "/mnt";
  std::filesystem::create_directory(mounted);  // is there, and empty until the drive is mounted on it
  for (const auto& place : {stick, mounted}) EXPECT_NE(fetch(fetch_of(place, "metadata/timestamp.json")).answer.status, PICKET_OK);
  EXPECT_EQ(fetch(fetch_of(base(), "metadata/2.root.json")).answer.status, PICKET_E_NOT_FOUND);  // a file, not the drive
  host_.advance(60'000);
  EXPECT_TRUE(host_.published().empty());
  folder_.write("media/stick/metadata/timestamp.json", "{}");
  EXPECT_TRUE(host_.wait_for([&] {
    host_.advance(3'000);
    return host_.published("picket.source.appeared").size() == 1;
  }));
  picket::source::v1::Source source;
  ASSERT_TRUE(source.ParseFromString(host_.published().front().payload));
  EXPECT_EQ(source.location(), stick);
  EXPECT_EQ(source.name(), "test");
  folder_.write("mnt/metadata/timestamp.json", "{}");
  EXPECT_TRUE(host_.wait_for([&] {
    host_.advance(3'000);
    return host_.published().size() == 2;
  }));
  ASSERT_TRUE(source.ParseFromString(host_.published()[1].payload));
  EXPECT_EQ(source.location(), mounted);
  host_.advance(60'000);
  EXPECT_EQ(host_.published().size(), 2u) << "once";
}

TEST_F(SourceFolder, refuses_paths_that_could_leave_the_folder) {
  for (const char* path : {"", "/etc/passwd", "../x", "a/../b", "a/./b", "a//b", "a/", "%2e%2e/x", "a%2fb", "a%00b", "%zz", "a%2"}) {
    const auto got = fetch(fetch_of(base(), path));
    EXPECT_EQ(got.answer.status, PICKET_E_INVALID) << path;
    EXPECT_NE(got.answer.payload, "") << path;
  }
}

TEST_F(SourceFolder, follows_links_within_the_folder_and_none_out_of_it) {
  TemporaryFolder elsewhere;
  elsewhere.write("secret", "secret");
  folder_.write("real/f", "here");
  std::filesystem::create_directory_symlink("real", folder_.path() / "inside");
  std::filesystem::create_directory_symlink(elsewhere.path(), folder_.path() / "outside");
  std::filesystem::create_symlink("../" + elsewhere.path().filename().string() + "/secret", folder_.path() / "up");
  EXPECT_EQ(fetch(fetch_of(base(), "inside/f")).answer.stream, "here");
  for (const char* path : {"outside/secret", "up"}) {
    const auto got = fetch(fetch_of(base(), path));
    EXPECT_EQ(got.answer.status, PICKET_E_DENIED) << path << got.answer.payload;
    EXPECT_EQ(got.answer.stream, "");
  }
}

TEST_F(SourceFolder, takes_neither_folders_nor_pipes_for_files) {
  ASSERT_EQ(::mkfifo((base() + "/pipe").c_str(), 0600), 0);
  for (const char* path : {"pipe", "metadata"}) {
    const auto got = fetch(fetch_of(base(), path));
    EXPECT_EQ(got.answer.status, PICKET_E_NOT_FOUND) << path;
    EXPECT_NE(got.answer.payload.find("is not a regular file"), std::string::npos) << got.answer.payload;
  }
}

TEST_F(SourceFolder, reads_file_urls_and_decodes_percent_signs) {
  folder_.write("with space/a b", "here");
  EXPECT_EQ(fetch(fetch_of("file://" + base() + "/with%20space", "a%20b")).answer.stream, "here");
  EXPECT_EQ(fetch(fetch_of("file://localhost" + base() + "/with%20space/", "a%20b")).answer.stream, "here");
  for (const char* location : {"", "relative", "file://server/share", "file://", "ftp://x/", "file:///%g0"})
    EXPECT_EQ(fetch(fetch_of(location, "f")).answer.status, PICKET_E_INVALID) << location;
}

TEST_F(SourceFolder, says_which_option_it_does_not_know) {
  const auto got = fetch(fetch_of(base(), "f", R"({"proxy":"none"})"));
  EXPECT_EQ(got.answer.status, PICKET_E_INVALID);
  EXPECT_EQ(got.answer.payload, "source 'test': a folder knows no option 'proxy'");
  EXPECT_EQ(fetch(fetch_of(base(), "f", "[")).answer.status, PICKET_E_INVALID);
  EXPECT_EQ(fetch(fetch_of(base(), "metadata/timestamp.json", "{}")).answer.status, PICKET_OK);
}

TEST_F(SourceFolder, probes_for_a_folder_that_holds_a_repository) {
  EXPECT_EQ(probe(base()).status, PICKET_OK);
  EXPECT_EQ(probe(base() + "/metadata").status, PICKET_E_NOT_FOUND);
  EXPECT_EQ(probe(base() + "/gone").status, PICKET_E_UNAVAILABLE);
  EXPECT_EQ(probe("x").status, PICKET_E_INVALID);
}

TEST_F(SourceFolder, answers_garbage_with_invalid) {
  for (const auto* topic : {"picket.source.fetch", "picket.source.probe"})
    for (const std::string& payload : {std::string("\xff\xff\xff"), std::string(1000, '\x0a'), pattern(5000)}) {
      const auto id = host_.request({.topic = topic, .payload = payload});
      ASSERT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }));
      EXPECT_EQ(host_.answer(id).status, PICKET_E_INVALID);
    }
  const auto id = host_.request({.topic = "picket.source.other", .payload = ""});
  EXPECT_EQ(host_.answer(id).status, PICKET_E_UNSUPPORTED);
}

TEST_F(SourceFolder, stops_in_the_middle_of_a_fetch_and_starts_again) {
  folder_.write("f", pattern(500'000));
  for (int round = 0; round < 3; ++round) {
    const auto id = ask(fetch_of(base(), "f"), 1000);
    ASSERT_TRUE(begins(id));
    ASSERT_EQ(host_.stop(), PICKET_OK);
    EXPECT_EQ(host_.answer(id).status, PICKET_E_UNAVAILABLE);
    ASSERT_EQ(host_.start(R"({"parallel_fetches":2})"), PICKET_OK);
  }
  EXPECT_EQ(fetch(fetch_of(base(), "metadata/timestamp.json")).answer.stream, "{}");
}

TEST_F(SourceFolder, refuses_settings_that_no_host_would_give) {
  host_.stop();
  for (const char* settings : {"", "[]", R"({"parallel_fetches":0})", R"({"parallel_fetches":"4"})", R"({"parallel_fetches":17})"}) {
    EXPECT_EQ(host_.start(settings), PICKET_E_INVALID) << settings;
    EXPECT_NE(host_.error(), "");
  }
  EXPECT_EQ(host_.start("{}"), PICKET_OK);
}

}  // namespace
