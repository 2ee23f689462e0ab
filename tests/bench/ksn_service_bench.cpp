// A private KSN with 10 million digests through the whole protocol (TLS, HTTP/1.1, batches of 100, signed), beside bare mdb_get of as many rows:
// 32-byte keys with 14 bytes each, as LMDB is usually used. Both take turns in one run; the client has a core of its own. Every 50th answer is checked
// as a client checks it.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <lmdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ksn/answers.hpp"
#include "ksn_server/server.hpp"
#include "ksn_store/store.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "report.hpp"
#include "service.hpp"
#include "support/server_process.hpp"
#include "support/tls_certificate.hpp"

namespace {

namespace v1 = picket::ksn::v1;
using Clock = std::chrono::steady_clock;
using Digest = std::array<char, 32>;

constexpr std::size_t kBatch = 100, kConnections = 8;
constexpr int kCheckEvery = 50;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "ksn_service_bench: %s\n", why.c_str());
  std::exit(1);
}
template <class T>
T good(picket::Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

void use_core(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::max(1u, std::thread::hardware_concurrency()), &set);
  sched_setaffinity(0, sizeof set, &set);
}

// Digest number n: the same in every run, as random as a digest.
Digest digest_of(std::uint64_t n) {
  Digest out;
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint64_t x = n * 4 + i + 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    x ^= x >> 31;
    std::memcpy(out.data() + 8 * i, &x, 8);
  }
  return out;
}

void must(int status) {
  if (status != MDB_SUCCESS) die(mdb_strerror(status));
}

class Environment {
 public:
  Environment(const std::string& folder, unsigned flags) {
    must(mdb_env_create(&env_));
    must(mdb_env_set_mapsize(env_, std::size_t{16} << 30));
    must(mdb_env_open(env_, folder.c_str(), MDB_NORDAHEAD | MDB_NOTLS | flags, 0640));
    must(mdb_txn_begin(env_, nullptr, flags & MDB_RDONLY, &txn_));
    must(mdb_dbi_open(txn_, nullptr, 0, &table_));
  }
  ~Environment() {
    if (txn_) mdb_txn_abort(txn_);
    mdb_env_close(env_);
  }
  void append(const Digest& digest, std::string_view bytes) {
    MDB_val key{digest.size(), const_cast<char*>(digest.data())}, value{bytes.size(), const_cast<char*>(bytes.data())};
    must(mdb_put(txn_, table_, &key, &value, MDB_APPEND));
  }
  void commit() { must(mdb_txn_commit(std::exchange(txn_, nullptr))); }
  [[nodiscard]] MDB_val get(const Digest& digest) const {
    MDB_val key{digest.size(), const_cast<char*>(digest.data())}, value{};
    must(mdb_get(txn_, table_, &key, &value));
    return value;
  }

 private:
  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
  MDB_dbi table_ = 0;
};

// The same digests, as the service keeps them and as rows of LMDB.
void fill(const std::string& folder, const std::string& plain, std::uint64_t count) {
  auto store = good(picket::ksn_store::open_store(folder, true));
  std::filesystem::create_directory(plain);
  Environment rows_of_lmdb(plain, 0);
  std::vector<std::pair<Digest, std::uint64_t>> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = {digest_of(i), i};
  std::sort(all.begin(), all.end(), [](const auto& one, const auto& other) { return std::memcmp(one.first.data(), other.first.data(), one.first.size()) < 0; });
  std::vector<picket::ksn_store::Row> rows;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto n = all[i].second;
    rows_of_lmdb.append(all[i].first, "14 bytes, each");
    rows.push_back(picket::ksn_store::row_of(std::string(all[i].first.data(), 32), {1 + static_cast<int>(n % 3), "malware", "Family." + std::to_string(n % 1000), {}, {}, n % 5000, 1'700'000'000, {}}));
    if (rows.size() < 200'000 && i + 1 < all.size()) continue;
    if (auto put = store->put(v1::OBJECT_FILE, rows); !put) die(put.error().message);
    rows.clear();
  }
  rows_of_lmdb.commit();
}

// Bare random reading, one thread.
double read_rate(const std::string& plain, std::uint64_t count, double seconds) {
  const Environment rows_of_lmdb(plain, MDB_RDONLY);
  std::mt19937_64 random(std::random_device{}());
  std::vector<Digest> asked(100'000);
  double spent = 0;
  std::uint64_t done = 0, sum = 0;
  while (spent < seconds) {
    for (auto& digest : asked) digest = digest_of(random() % count);
    const auto start = Clock::now();
    for (const auto& digest : asked) sum += static_cast<unsigned char*>(rows_of_lmdb.get(digest).mv_data)[0];
    spent += seconds_since(start);
    done += asked.size();
  }
  if (sum == 0) die("nothing was read");
  return static_cast<double>(done) / spent;
}

// A TLS connection that keeps one request in flight: HTTP/1.1 with keep-alive, by hand, so that the client is not what is measured.
class Connection {
 public:
  Connection(SSL_CTX* context, std::uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die("cannot connect");
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, socket_);
    if (SSL_connect(ssl_) != 1) die("no TLS");
  }
  ~Connection() {
    SSL_free(ssl_);
    ::close(socket_);
  }
  void send(std::string_view body) {
    const auto message = picket::cat("POST /ksn/v1/ask HTTP/1.1\r\nHost: ksn\r\nContent-Type: application/x-protobuf\r\nContent-Length: ", std::to_string(body.size()), "\r\n\r\n", body);
    if (SSL_write(ssl_, message.data(), static_cast<int>(message.size())) != static_cast<int>(message.size())) die("cannot send");
  }
  // The body of the answer.
  std::string_view receive() {
    buffer_.clear();
    std::size_t wanted = 0, head = 0;
    while (wanted == 0 || buffer_.size() < wanted) {
      const auto before = buffer_.size();
      buffer_.resize(before + 32768);
      const int got = SSL_read(ssl_, buffer_.data() + before, 32768);
      if (got <= 0) die("the connection ended");
      buffer_.resize(before + static_cast<std::size_t>(got));
      if (wanted != 0) continue;
      const auto end = buffer_.find("\r\n\r\n");
      if (end == buffer_.npos) continue;
      if (!buffer_.starts_with("HTTP/1.1 200")) die("refused: " + buffer_.substr(0, 100));
      std::string lower(buffer_.substr(0, end));
      for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      const auto length = lower.find("content-length:");
      if (length == lower.npos) die("no length");
      head = end + 4;
      wanted = head + std::strtoull(lower.c_str() + length + 15, nullptr, 10);
    }
    return std::string_view(buffer_).substr(head);
  }

 private:
  int socket_ = -1;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

void check(std::string_view body, const std::vector<std::uint64_t>& asked, const picket::ksn::Verifier& verifier) {
  v1::AskReply reply;
  if (!reply.ParseFromArray(body.data(), static_cast<int>(body.size()))) die("no reply");
  std::vector<picket::ksn::Question> questions;
  std::vector<decltype(digest_of(0))> digests;
  for (const auto number : asked) digests.push_back(digest_of(number));
  for (const auto& digest : digests) questions.push_back({v1::OBJECT_FILE, {digest.data(), 32}});
  const auto proven = good(verifier.verify(reply, questions, std::time(nullptr)));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    v1::Facts facts;
    if (!facts.ParseFromString(std::string(proven[i].said)) || facts.verdict() != 1 + static_cast<int>(asked[i] % 3)) die("a wrong answer");
  }
}

double service_rate(std::uint16_t port, std::uint64_t count, double seconds, const picket::ksn::Verifier& verifier) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < kConnections; ++i) connections.push_back(std::make_unique<Connection>(context.get(), port));
  std::mt19937_64 random(std::random_device{}());
  std::vector<std::vector<std::uint64_t>> asked(kConnections, std::vector<std::uint64_t>(kBatch));
  const auto ask = [&](std::size_t i) {
    v1::AskRequest request;
    request.mutable_asker()->set_installation(std::string(16, 'b'));
    auto* questions = request.add_questions();
    questions->set_kind(v1::OBJECT_FILE);
    questions->set_length(32);
    for (auto& n : asked[i]) {
      n = random() % count;
      const auto digest = digest_of(n);
      questions->mutable_digests()->append(digest.data(), 32);
    }
    connections[i]->send(request.SerializeAsString());
  };
  for (std::size_t i = 0; i < kConnections; ++i) ask(i);
  const auto start = Clock::now();
  std::uint64_t batches = 0;
  for (std::size_t i = 0; seconds_since(start) < seconds; i = (i + 1) % kConnections, ++batches) {
    const auto body = connections[i]->receive();
    if (batches % kCheckEvery == 0) check(body, asked[i], verifier);
    ask(i);
  }
  return static_cast<double>(batches * kBatch) / seconds_since(start);
}

}  // namespace

int main() {
  const auto* wanted = std::getenv("PICKET_KSN_OBJECTS");
  const std::uint64_t count = wanted ? std::strtoull(wanted, nullptr, 10) : 10'000'000;
  const auto* length = std::getenv("PICKET_BENCH_SECONDS");
  const double seconds = length ? std::strtod(length, nullptr) : 4;
  const picket::support::ServerFolder folder;
  const std::string store = folder / "store", plain = folder / "plain";
  fill(store, plain, count);
  if (auto made = picket::support::make_certificate(folder / "tls.pem", folder / "tls.key"); !made) die(made.error().message);
  const auto key = good(picket::trust::PrivateKey::generate("ed25519"));

  ksn_service::ServiceSettings settings;
  settings.name = "bench";
  settings.store = store;
  settings.licences_required = false;
  settings.installation_per_minute = settings.address_per_minute = 0;
  ksn_service::Service service(settings, good(ksn_service::Signer::from_pem(good(key.to_pem()))), nullptr, [] { return static_cast<std::int64_t>(std::time(nullptr)); });
  ksn_server::Settings front;
  front.certificate_file = folder / "tls.pem";
  front.key_file = folder / "tls.key";
  front.threads = 1;
  use_core(0);  // inherited by the server's threads
  const auto server = good(ksn_server::Server::start(front, [&](const ksn_server::Request& request, ksn_server::Reply reply) {
    auto response = service.handle(request.path, request.body, request.peer);
    std::move(reply).send(response.status, std::move(response.body));
  }));

  const picket::ksn::Verifier verifier({key.public_key()}, "bench", true);
  std::vector<double> bare, whole;
  for (int round = 0; round < 3; ++round) {
    use_core(0);
    bare.push_back(read_rate(plain, count, seconds / 2));
    use_core(1);
    whole.push_back(service_rate(server->port(), count, seconds, verifier));
  }
  std::sort(bare.begin(), bare.end());
  std::sort(whole.begin(), whole.end());
  picket::bench::report({"ksn_service, batches of 100 over TLS, signed", whole[1], bare[1], "mdb_get, one thread", "digests/s", "higher", "0.7 times LMDB", 0.7});
  return 0;
}
