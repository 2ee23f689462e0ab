// A server that echoes, for tests with other people's programs: prints "PORT CERTIFICATE", ends when its standard input does.
#include <cstdio>

#include "ksn_server/server.hpp"
#include "tls_server/own_certificate.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto files = tls_server::own_certificate(argv[1], {"localhost", "127.0.0.1"});
  if (!files) return std::fprintf(stderr, "%s\n", files.error().message.c_str()), 1;
  ksn_server::Settings settings;
  settings.certificate_file = files->certificate;
  settings.key_file = files->key;
  settings.page = [](std::string_view path) { return path == "/status" ? std::string("<p>well</p>\n") : std::string(); };
  auto server = ksn_server::Server::start(settings, [](const ksn_server::Request& request, ksn_server::Reply reply) { std::move(reply).send(200, std::string(request.body)); });
  if (!server) return std::fprintf(stderr, "%s\n", server.error().message.c_str()), 1;
  std::printf("%u %s\n", static_cast<unsigned>((*server)->port()), files->certificate.c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
