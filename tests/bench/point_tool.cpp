// What distribution_point_bench.py is made of: the point's server alone, idle connections, a thousand clients, and the request for a download.
//   point_tool serve FOLDER THREADS CERTIFICATE KEY      prints "HTTP-PORT HTTPS-PORT", serves until its input ends
//   point_tool idle PORT COUNT plain|tls                 opens so many connections, one request each, prints "ready", waits for the end of its input
//   point_tool clients URL COUNT POLL-MS RELEASE         clients that keep a component `db` current; prints "ready" once all have some release,
//                                                        then "SECONDS BYTES FAILURES" when all have RELEASE (seconds of CLOCK_MONOTONIC)
//   point_tool download SOCKET                           asks picketd's point for a download; prints "CLASS FILES BYTES"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "bus/wire/client.hpp"
#include "picket/distribution_point/v1/distribution_point.pb.h"
#include "server.hpp"

namespace {

namespace json = boost::json;
using picket::cat;

int fail(const std::string& why) {
  std::fprintf(stderr, "point_tool: %s\n", why.c_str());
  return 1;
}
void wait_for_end_of_input() {
  while (std::getchar() != EOF) {
  }
}
double now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

int serve(char** argv) {
  distribution_point::ServerSettings settings;
  settings.addresses = {"127.0.0.1"};
  settings.http_port = settings.https_port = 0;
  settings.threads = static_cast<std::size_t>(std::atoi(argv[3]));
  settings.certificate = argv[4];
  settings.key = argv[5];
  settings.most_per_address = settings.most_connections = 20'000;
  settings.idle_timeout = std::chrono::hours(1);
  auto server = distribution_point::Server::start(settings, {});
  if (!server) return fail(server.error().message);
  auto catalogue = distribution_point::Catalogue::load(argv[2]);
  if (!catalogue) return fail(catalogue.error().message);
  (*server)->serve(std::make_shared<distribution_point::Catalogue>(std::move(*catalogue)));
  for (const auto& address : (*server)->addresses()) std::printf("%s ", address.substr(address.rfind(':') + 1).c_str());
  std::printf("\n");
  std::fflush(stdout);
  wait_for_end_of_input();
  return 0;
}

int idle(char** argv) {
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  const int count = std::atoi(argv[3]);
  const bool tls = std::strcmp(argv[4], "tls") == 0;
  SSL_CTX* context = ::SSL_CTX_new(::TLS_client_method());
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  constexpr std::string_view request = "GET /targets/1k HTTP/1.1\r\nHost: x\r\n\r\n";
  std::string buffer(65536, '\0');
  for (int i = 0; i < count; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail(cat("connection ", std::to_string(i), ": ", std::strerror(errno)));
    if (tls) {
      SSL* session = ::SSL_new(context);
      ::SSL_set_fd(session, fd);
      if (::SSL_connect(session) != 1 || ::SSL_write(session, request.data(), static_cast<int>(request.size())) <= 0 || ::SSL_read(session, buffer.data(), static_cast<int>(buffer.size())) <= 0)
        return fail("TLS failed");
    } else if (::send(fd, request.data(), request.size(), 0) <= 0 || ::recv(fd, buffer.data(), buffer.size(), 0) <= 0) {
      return fail("no answer");
    }
  }
  std::printf("ready\n");
  std::fflush(stdout);
  wait_for_end_of_input();
  return 0;
}

class Client {
 public:
  Client(std::string base, double first_poll) : base_(std::move(base)), next_(first_poll), easy_(::curl_easy_init()) {
    ::curl_easy_setopt(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));
    ::curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Client::take);
    ::curl_easy_setopt(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
    ::curl_easy_setopt(easy_, CURLOPT_PROXY, "");
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::curl_easy_cleanup(easy_); }

  [[nodiscard]] bool is_due(double time) const { return !busy_ && time >= next_; }
  CURL* begin() {
    busy_ = true;
    return ask("metadata/timestamp.json", Step::timestamp);
  }
  // The next request, or nullptr until it polls again.
  CURL* ended(CURLcode code, double time, double poll) {
    long status = 0;
    ::curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    bytes += body_.size();
    CURL* more = nullptr;
    try {
      more = code == CURLE_OK && status == 200 ? go_on() : throw std::runtime_error("no answer");
    } catch (const std::exception&) {
      ++failures;
    }
    if (more == nullptr) {
      busy_ = false;
      next_ = time + poll;
    }
    return more;
  }
  std::int64_t release = 0;
  std::uint64_t bytes = 0, failures = 0;

 private:
  enum class Step { timestamp, snapshot, targets, role, file };
  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self) {
    static_cast<Client*>(self)->body_.append(data, size * count);
    return size * count;
  }
  CURL* ask(const std::string& path, Step step) {
    step_ = step;
    body_.clear();
    ::curl_easy_setopt(easy_, CURLOPT_URL, (base_ + path).c_str());
    return easy_;
  }
  CURL* go_on() {
    if (step_ == Step::file) {
      if (body_.size() != length_) throw std::runtime_error("wrong length");
      release = coming_;
      snapshot_ = coming_snapshot_;
      return nullptr;
    }
    const auto parsed = json::parse(body_);
    const auto& document = parsed.at("signed");
    const auto version = [&](const char* name) { return std::to_string(document.at("meta").at(name).at("version").as_int64()); };
    if (step_ == Step::timestamp) {
      coming_snapshot_ = document.at("meta").at("snapshot.json").at("version").as_int64();
      return coming_snapshot_ == snapshot_ ? nullptr : ask("metadata/" + std::to_string(coming_snapshot_) + ".snapshot.json", Step::snapshot);
    }
    if (step_ == Step::snapshot) {
      role_ = version("db.json");
      return ask("metadata/" + version("targets.json") + ".targets.json", Step::targets);
    }
    if (step_ == Step::targets) return ask("metadata/" + role_ + ".db.json", Step::role);
    coming_ = 0;
    std::string path;
    for (const auto& [name, target] : document.at("targets").as_object()) {
      const auto number = target.at("custom").at("picket").at("release").as_int64();
      if (number <= coming_) continue;
      coming_ = number;
      length_ = static_cast<std::uint64_t>(target.at("length").as_int64());
      const std::string whole(name);
      const auto slash = whole.rfind('/');
      path = whole.substr(0, slash + 1) + std::string(target.at("hashes").at("sha256").as_string()) + "." + whole.substr(slash + 1);
    }
    return ask("targets/" + path, Step::file);
  }

  const std::string base_;
  double next_;
  CURL* easy_;
  bool busy_ = false;
  Step step_ = Step::timestamp;
  std::string body_, role_;
  std::int64_t snapshot_ = 0, coming_snapshot_ = 0, coming_ = 0;
  std::uint64_t length_ = 0;
};

int clients(char** argv) {
  const int count = std::atoi(argv[3]);
  const double poll = std::atof(argv[4]) / 1000;
  const std::int64_t wanted = std::atoll(argv[5]);
  ::curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = ::curl_multi_init();
  ::curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(count));
  std::vector<std::unique_ptr<Client>> all;
  const double begun = now();
  for (int i = 0; i < count; ++i) all.push_back(std::make_unique<Client>(argv[2], begun + poll * i / count));
  bool told = false;
  for (;;) {
    const double time = now();
    for (auto& client : all)
      if (client->is_due(time)) ::curl_multi_add_handle(multi, client->begin());
    int running = 0, left = 0;
    ::curl_multi_perform(multi, &running);
    while (const CURLMsg* message = ::curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const easy = message->easy_handle;
      const CURLcode code = message->data.result;
      Client* client = nullptr;
      ::curl_easy_getinfo(easy, CURLINFO_PRIVATE, &client);
      ::curl_multi_remove_handle(multi, easy);
      if (CURL* more = client->ended(code, now(), poll)) ::curl_multi_add_handle(multi, more);
    }
    const auto lowest = (*std::ranges::min_element(all, {}, [](const auto& client) { return client->release; }))->release;
    if (!told && lowest > 0) {
      told = true;
      std::printf("ready\n");
      std::fflush(stdout);
    }
    if (lowest >= wanted) break;
    if (now() - begun > 120) return fail("not all became current in two minutes");
    ::curl_multi_poll(multi, nullptr, 0, 5, nullptr);
  }
  std::uint64_t bytes = 0, failures = 0;
  for (const auto& client : all) {
    bytes += client->bytes;
    failures += client->failures;
  }
  std::printf("%.4f %llu %llu\n", now(), static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(failures));
  return 0;
}

int download(char** argv) {
  auto client = picket::bus::wire::Client::connect(argv[2], std::chrono::seconds(10));
  if (!client) return fail(client.error().message);
  auto answer = (*client)->call({.topic = "picket.distribution_point.download", .to = {}, .content_type = {}, .payload = {}, .timeout = std::chrono::minutes(2)});
  if (!answer) return fail(answer.error().message);
  picket::distribution_point::v1::DownloadResult result;
  if (!result.ParseFromString(answer->payload) || result.points_size() != 1) return fail("no DownloadResult");
  const auto& point = result.points(0);
  std::printf("%s %u %llu %s\n", point.result_class().c_str(), point.files(), static_cast<unsigned long long>(point.bytes()), point.reason().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "serve" && argc == 6) return serve(argv);
  if (mode == "idle" && argc == 5) return idle(argv);
  if (mode == "clients" && argc == 6) return clients(argv);
  if (mode == "download" && argc == 3) return download(argv);
  return fail("see the beginning of point_tool.cpp");
}
