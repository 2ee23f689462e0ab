// picket-tuf-client as a process against a real nginx.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "support/nginx.hpp"
#include "support/sanitizer.hpp"
#include "support/temporary_folder.hpp"
#include "support/tuf_repo_builder.hpp"

namespace picket {
namespace {

namespace fs = std::filesystem;
using support::Nginx;
using support::NginxOptions;
using support::TufRepo;
using Lines = std::vector<std::string>;

class TufClientProgram : public testing::Test {
 protected:
  void SetUp() override {
    // The program takes the real time.
    for (const char* role : {"root", "timestamp", "snapshot", "targets"}) repo_.document(role)["expires"] = "2099-01-01T00:00:00Z";
    repo_.publish({"root", "targets", "snapshot", "timestamp"});
  }

  void serve(NginxOptions options = {}) {
    write_repository();
    options.root = folder_ / "www";
    auto server = Nginx::start(options);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  void write_repository() {
    fs::remove_all(folder_ / "www");
    repo_.write_to(folder_ / "www");
  }

  struct Ran {
    int status;  // exit status; 1000 + signal
    std::string out, error;
  };
  // Blocks for as long as the program runs, which SIGALRM ends after a minute.
  Ran run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) {
    const auto out = (folder_ / "out").native(), error = (folder_ / "error").native();
    std::vector<std::string> words = {PICKET_TUF_CLIENT};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv, envp;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables = environment;
    for (char** variable = ::environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    for (auto& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
      ::dup2(::open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      ::alarm(60);
      ::execve(argv[0], argv.data(), envp.data());
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), read_file(out, 1 << 20).value(), read_file(error, 1 << 20).value()};
  }
  Ran init() {
    std::ofstream(folder_ / "root.json") << repo_.first_root();
    return run({"--metadata-dir", dir(), "init", (folder_ / "root.json").native()});
  }
  Ran refresh() { return run({"--metadata-url", server_->url() + "metadata", "--metadata-dir", dir(), "refresh"}); }
  Ran download(const std::vector<std::string>& names, const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words = {"--metadata-url", server_->url() + "metadata/", "--metadata-dir", dir()};
    for (const auto& name : names) words.insert(words.end(), {"--target-name", name});
    words.insert(words.end(), {"--target-dir", (folder_ / "artifacts").native(), "--target-base-url", server_->url() + "targets", "download"});
    return run(words, environment);
  }
  [[nodiscard]] std::string dir() const { return (folder_ / "metadata").native(); }
  [[nodiscard]] std::string artifact(const std::string& name) const { return read_file(folder_ / "artifacts" / name, 1 << 26).value_or("(none)"); }
  [[nodiscard]] std::vector<std::string> names_in(const char* where) const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_ / where)) out.push_back(entry.path().filename());
    std::sort(out.begin(), out.end());
    return out;
  }
  // Exit status 1 and exactly one line that says `text`.
  static void expect_failure(const Ran& ran, std::string_view text) {
    EXPECT_EQ(ran.status, 1);
    EXPECT_NE(ran.error.find(text), std::string::npos) << ran.error;
    EXPECT_EQ(std::count(ran.error.begin(), ran.error.end(), '\n'), 1) << ran.error;
    EXPECT_EQ(ran.out, "");
  }

  const support::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  TufRepo repo_;
  std::unique_ptr<Nginx> server_;
};

TEST_F(TufClientProgram, init_refresh_and_download_on_one_connection_with_no_request_too_many) {
  repo_.add_target("targets", "dir/file name", "content");
  repo_.publish_all();
  serve();
  EXPECT_EQ(init().status, 0);
  EXPECT_EQ(read_file(fs::path(dir()) / "root.json", 1 << 20).value(), repo_.first_root());
  const auto ran = download({"dir/file name"});
  EXPECT_EQ(ran.status, 0) << ran.error;
  EXPECT_EQ(ran.out + ran.error, "");
  EXPECT_EQ(artifact("dir%2Ffile%20name"), "content");
  EXPECT_EQ(names_in("artifacts"), Lines{"dir%2Ffile%20name"});
  EXPECT_EQ(names_in("metadata"), (Lines{"high-water", "lock", "root.json", "snapshot.json", "targets.json", "timestamp.json"}));
  std::vector<std::string> paths;
  for (const auto& line : server_->wait_for_requests(6)) paths.push_back(line.substr(0, line.rfind(' ')));
  EXPECT_EQ(paths, (Lines{"GET /metadata/2.root.json 200", "GET /metadata/3.root.json 404", "GET /metadata/timestamp.json 200", "GET /metadata/3.snapshot.json 200",
                          "GET /metadata/3.targets.json 200", cat("GET /targets/dir/", sha256_hex("content"), ".file%20name 200")}));
}

TEST_F(TufClientProgram, a_cached_artifact_is_not_downloaded_again_and_a_damaged_one_is) {
  repo_.add_target("targets", "a", "content a");
  repo_.publish_all();
  serve();
  init();
  ASSERT_EQ(download({"a"}).status, 0);
  const auto before = server_->wait_for_requests(6).size();
  ASSERT_EQ(download({"a"}).status, 0);
  EXPECT_EQ(server_->wait_for_requests(before + 2).size(), before + 2) << "root and timestamp only";
  std::ofstream(folder_ / "artifacts/a") << "content b";
  ASSERT_EQ(download({"a"}).status, 0);
  EXPECT_EQ(artifact("a"), "content a");
}

TEST_F(TufClientProgram, names_are_taken_in_order_and_the_first_failure_ends_it) {
  for (const char* name : {"a", "b", "c"}) repo_.add_target("targets", name, name);
  repo_.publish_all();
  serve();
  init();
  expect_failure(download({"a", "missing", "c"}), "no role signed a target called missing");
  EXPECT_EQ(names_in("artifacts"), Lines{"a"});
  EXPECT_EQ(download({"a", "b", "c"}).status, 0);
  EXPECT_EQ(names_in("artifacts"), (Lines{"a", "b", "c"}));
}

TEST_F(TufClientProgram, wrong_shorter_longer_or_missing_artifacts_are_refused_and_the_old_one_stays) {
  repo_.add_target("targets", "a", "content");
  repo_.publish_all();
  serve();
  init();
  ASSERT_EQ(download({"a"}).status, 0);
  repo_.add_target("targets", "a", "CONTENT");
  repo_.publish_all();
  const auto served = cat(sha256_hex("CONTENT"), ".a");
  const auto with = [&](const char* bytes) {
    repo_.targets[served] = bytes;
    write_repository();
  };
  with("CONTEXT");
  expect_failure(download({"a"}), "sha256");
  with("CONT");
  expect_failure(download({"a"}), "4 bytes, 7 are signed");
  with("CONTENT and more");
  expect_failure(download({"a"}), "longer than 7 bytes");
  repo_.targets.erase(served);
  write_repository();
  expect_failure(download({"a"}), "not found");
  EXPECT_EQ(artifact("a"), "content");
  EXPECT_EQ(names_in("artifacts"), Lines{"a"});
  EXPECT_EQ(names_in("metadata").size(), 6U) << "no partial file is left";
}

TEST_F(TufClientProgram, stops_reading_an_endless_artifact_that_does_not_say_its_length) {
  repo_.add_target("targets", "a", "content");
  repo_.publish_all();
  repo_.targets[cat(sha256_hex("content"), ".a")] = std::string(8 << 20, 'x');
  // gzip on the fly takes the Content-Length away; the client asks for identity, so a chunked answer comes from sub_filter.
  serve({.location_lines = "sub_filter_types *; sub_filter nothing nothing;"});
  init();
  expect_failure(download({"a"}), "longer than 7 bytes");
}

TEST_F(TufClientProgram, server_errors_are_errors_also_where_a_missing_root_would_be_none) {
  serve({.server_lines = "location = /metadata/3.root.json { return 503; }"});
  init();
  expect_failure(refresh(), "HTTP status 503");
  EXPECT_EQ(server_->wait_for_requests(2).size(), 2U);
}

TEST_F(TufClientProgram, redirects_are_not_followed) {
  serve({.server_lines = "location = /metadata/timestamp.json { return 302 /metadata/2.targets.json; }"});
  init();
  expect_failure(refresh(), "HTTP status 302");
}

TEST_F(TufClientProgram, a_bad_local_root_or_none_asks_nothing) {
  serve();
  expect_failure(refresh(), "init first");
  repo_.files["1.root.json"].replace(10, 1, "~");
  expect_failure(init(), "root");
  fs::create_directories(dir());
  std::ofstream(fs::path(dir()) / "root.json") << "{}";
  expect_failure(refresh(), "stored root");
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(TufClientProgram, a_server_that_is_gone_or_no_url_is_one_clear_line) {
  serve();
  init();
  server_->stop();
  expect_failure(refresh(), "2.root.json");
  expect_failure(run({"--metadata-url", "gopher://127.0.0.1/", "--metadata-dir", dir(), "refresh"}), "2.root.json");
  expect_failure(run({"--metadata-url", "nothing", "--metadata-dir", dir(), "refresh"}), "2.root.json");
}

TEST_F(TufClientProgram, works_from_a_folder_too) {
  repo_.add_target("targets", "a", "content");
  repo_.publish_all();
  write_repository();
  init();
  const auto base = cat("file://", (folder_ / "www").native());
  EXPECT_EQ(run({"--metadata-url", base + "/metadata", "--metadata-dir", dir(), "--target-name=a", cat("--target-dir=", (folder_ / "artifacts").native()),
                 cat("--target-base-url=", base, "/targets/"), "download"})
                .status,
            0);
  EXPECT_EQ(artifact("a"), "content");
}

TEST_F(TufClientProgram, believes_a_faked_clock) {
  if (support::kHasSanitizer) GTEST_SKIP() << "libfaketime and a sanitizer's allocator may wait for each other for ever; the preset quick runs this";
  const char* library = nullptr;
  for (const char* candidate : {"/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"})
    if (fs::exists(candidate)) library = candidate;
  if (library == nullptr) GTEST_SKIP() << "libfaketime is not installed";
  repo_.add_target("targets", "a", "content");
  repo_.publish_all();
  serve();
  init();
  const auto with_time = [&](const char* time) { return download({"a"}, {cat("LD_PRELOAD=", library), cat("FAKETIME=", time)}); };
  EXPECT_EQ(with_time("@2098-12-31 00:00:00").status, 0);  // @: the clock goes on from there
  expect_failure(with_time("@2099-02-01 00:00:00"), "expired at 2099-01-01T00:00:00Z");
}

TEST_F(TufClientProgram, wrong_arguments_are_one_line_and_status_1) {
  for (const auto& words : std::vector<std::vector<std::string>>{{},
                                                                {"refresh"},
                                                                {"nonsense"},
                                                                {"--metadata-dir"},
                                                                {"--metadata-dir", "", "init", "x"},
                                                                {"--metadata-dir", "d", "init"},
                                                                {"--metadata-dir", "d", "refresh"},
                                                                {"--metadata-dir", "d", "--unknown", "x", "refresh"},
                                                                {"--metadata-dir", "d", "--metadata-url", "u", "download"},
                                                                {"--metadata-dir", "d", "--metadata-url", "u", "refresh", "more"},
                                                                {"init", "root.json", "--metadata-dir", "d"}})
    expect_failure(run(words), "usage: picket-tuf-client");
  expect_failure(run({"--metadata-dir", dir(), "init", (folder_ / "none.json").native()}), "none.json");
}

TEST_F(TufClientProgram, over_tls_only_with_a_certificate_that_can_be_checked) {
  serve({.tls = true});
  init();
  expect_failure(refresh(), "certificate");
}

}  // namespace
}  // namespace picket
