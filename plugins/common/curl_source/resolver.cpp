#include "curl_source/resolver.hpp"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace curl_source {
namespace {

// Each resolver is asked once; the next one when it is silent for so long.
constexpr int kTimeoutMs = 1500;
constexpr std::chrono::seconds kRemember(60);
constexpr std::size_t kMostKnown = 256, kMostAddresses = 8;

std::string text_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address->sa_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  else if (address->sa_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return text;
}

bool is_address(int family, std::string_view text) {
  in6_addr ignored{};
  return ::inet_pton(family, std::string(text).c_str(), &ignored) == 1;
}

}  // namespace

Outcome<> check_resolver(std::string_view address) {
  const auto bad = [&] { return failed(PICKET_E_INVALID, "'" + std::string(address.substr(0, 80)) + "' is not the address of a resolver like 9.9.9.9 or [2620:fe::fe]:53"); };
  if (is_address(AF_INET, address) || is_address(AF_INET6, address)) return {};
  const bool ipv6 = address.starts_with('[');
  const auto end = ipv6 ? address.find("]:") : address.rfind(':');
  if (end == std::string_view::npos) return bad();
  const std::string_view host = ipv6 ? address.substr(1, end - 1) : address.substr(0, end), port = address.substr(end + (ipv6 ? 2 : 1));
  unsigned number = 0;
  const auto [last, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || last != port.data() + port.size() || number == 0 || number > 65535) return bad();
  if (!is_address(ipv6 ? AF_INET6 : AF_INET, host)) return bad();
  return {};
}

bool is_ip_address(const std::string& host) { return is_address(AF_INET, host) || host.starts_with('['); }

class Resolver::Channel {
 public:
  explicit Channel(const std::vector<std::string>& servers) {
    // ares_library_init is for Windows only, and not safe where several plugins in one process use c-ares.
    char lookups[] = "b", nothing[] = "/dev/null";  // DNS only, and nothing of the system's own settings
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = kTimeoutMs;
    options.tries = 1;
    options.lookups = lookups;
    options.resolvconf_path = nothing;
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF;
    std::string list;
    for (const auto& server : servers) list += (list.empty() ? "" : ",") + (is_address(AF_INET6, server) ? "[" + server + "]:53" : server);
    if (::ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) channel_ = nullptr;
    else if (::ares_set_servers_ports_csv(channel_, list.c_str()) != ARES_SUCCESS) close();
  }
  ~Channel() { close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  [[nodiscard]] ares_channel get() const { return channel_; }

 private:
  void close() {
    if (channel_ != nullptr) ::ares_destroy(channel_);  // answers every open question first
    channel_ = nullptr;
  }
  ares_channel channel_ = nullptr;
};

struct Resolver::Question {
  Resolver& resolver;
  std::string host;
  std::shared_ptr<LookUp> look_up;

  static void answered(void* self, int status, int, ares_addrinfo* found) {
    const std::unique_ptr<Question> me(static_cast<Question*>(self));
    --me->resolver.open_;
    auto& look_up = *me->look_up;
    try {
      for (const auto* node = found != nullptr ? found->nodes : nullptr; node != nullptr && look_up.addresses.size() < kMostAddresses; node = node->ai_next)
        if (auto text = text_of(node->ai_addr); !text.empty()) look_up.addresses.push_back(std::move(text));
      if (look_up.addresses.empty()) look_up.why = status == ARES_SUCCESS ? "they know no address for it" : ::ares_strerror(status);
      else if (me->resolver.known_.size() < kMostKnown) me->resolver.known_[me->host] = {look_up.addresses, std::chrono::steady_clock::now() + kRemember};
    } catch (...) {
      look_up.addresses.clear();
    }
    look_up.is_over = true;
    if (found != nullptr) ::ares_freeaddrinfo(found);
  }
};

Resolver::Resolver(std::vector<std::string> servers) : servers_(std::move(servers)) {}

Resolver::~Resolver() { channel_.reset(); }

std::string Resolver::names() const {
  std::string out;
  for (const auto& server : servers_) out += (out.empty() ? "" : ", ") + server;
  return out;
}

std::shared_ptr<LookUp> Resolver::ask(const std::string& host) {
  auto look_up = std::make_shared<LookUp>();
  if (!channel_) channel_ = std::make_unique<Channel>(servers_);
  if (channel_->get() == nullptr) {
    channel_.reset();
    look_up->why = "c-ares cannot be started";
    look_up->is_over = true;
    return look_up;
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT;
  ++open_;
  auto question = std::make_unique<Question>(Question{*this, host, look_up});
  ::ares_getaddrinfo(channel_->get(), host.c_str(), nullptr, &hints, &Question::answered, question.release());  // may answer at once
  return look_up;
}

const std::vector<std::string>& Resolver::known(const std::string& host) const {
  static const std::vector<std::string> none;
  const auto found = known_.find(host);
  return found == known_.end() || found->second.until < std::chrono::steady_clock::now() ? none : found->second.addresses;
}

void Resolver::add_to(std::vector<curl_waitfd>& sockets) const {
  if (open_ == 0) return;
  ares_socket_t found[ARES_GETSOCK_MAXNUM];
  const auto which = static_cast<unsigned>(::ares_getsock(channel_->get(), found, ARES_GETSOCK_MAXNUM));
  for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
    const bool reads = ((which >> i) & 1U) != 0, writes = ((which >> (i + ARES_GETSOCK_MAXNUM)) & 1U) != 0;
    if (reads || writes) sockets.push_back({found[i], static_cast<short>((reads ? CURL_WAIT_POLLIN : 0) | (writes ? CURL_WAIT_POLLOUT : 0)), 0});
  }
}

std::chrono::milliseconds Resolver::wait_at_most(std::chrono::milliseconds otherwise) const {
  if (open_ == 0) return otherwise;
  timeval most{otherwise.count() / 1000, (otherwise.count() % 1000) * 1000}, buffer{};
  const timeval* wait = ::ares_timeout(channel_->get(), &most, &buffer);
  return std::chrono::milliseconds(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1);
}

void Resolver::process() {
  if (open_ == 0) return;
  ares_socket_t found[ARES_GETSOCK_MAXNUM];
  const auto which = static_cast<unsigned>(::ares_getsock(channel_->get(), found, ARES_GETSOCK_MAXNUM));
  ::ares_process_fd(channel_->get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what timed out
  for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM && open_ > 0; ++i) {
    const bool reads = ((which >> i) & 1U) != 0, writes = ((which >> (i + ARES_GETSOCK_MAXNUM)) & 1U) != 0;
    // Its sockets do not block: reading one that has nothing is harmless.
    if (reads || writes) ::ares_process_fd(channel_->get(), reads ? found[i] : ARES_SOCKET_BAD, writes ? found[i] : ARES_SOCKET_BAD);
  }
}

}  // namespace curl_source
