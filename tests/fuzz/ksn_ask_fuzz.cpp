// Any bytes as any request to a private KSN: an answer that a client believes, or a refusal with a reason.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <unistd.h>

#include "ksn/answers.hpp"
#include "ksn_store/store.hpp"
#include "service.hpp"

namespace {
using namespace ksn_service;
namespace fs = std::filesystem;

struct World {
  fs::path folder = fs::temp_directory_path() / ("ksn_ask_fuzz." + std::to_string(::getpid()));
  picket::trust::PrivateKey key = picket::trust::PrivateKey::generate("ed25519").value();
  std::unique_ptr<Service> service;
  picket::ksn::Verifier verifier{{key.public_key()}, "fuzz", true};

  World() {
    auto store = picket::ksn_store::open_store(folder / "store", true).value();
    std::vector<picket::ksn_store::Row> rows;
    for (char c = 'a'; c <= 'z'; ++c) rows.push_back(picket::ksn_store::row_of(std::string(32, c), {1 + c % 3, "c", "t", "p", "q", 1, 2, {"DE"}}));
    if (!store->put(v1::OBJECT_FILE, rows)) std::abort();
    store.reset();
    ServiceSettings settings;
    settings.name = "fuzz";
    settings.store = folder / "store";
    settings.licences_required = false;
    settings.installation_per_minute = settings.address_per_minute = 0;
    settings.samples = {folder / "samples", 1u << 20, 1u << 18, true};
    service = std::make_unique<Service>(settings, Signer::from_pem(key.to_pem().value()).value(), nullptr, [] { return std::int64_t{1'800'000'000}; });
  }
  ~World() {
    service.reset();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto* path : {"/ksn/v1/ask", "/ksn/v1/hello", "/ksn/v1/statistics", "/ksn/v1/content", "/"}) {
    const auto response = world.service->handle(path, body, "192.0.2.7");
    if (response.status != 200) {
      v1::Refusal refusal;
      if (!refusal.ParseFromString(response.body) || refusal.why() == 0 || refusal.text().empty() || refusal.text().size() > 256) std::abort();
      continue;
    }
    if (std::string_view(path) != "/ksn/v1/ask") continue;
    v1::AskReply reply;
    v1::AskRequest request;
    if (!reply.ParseFromString(response.body) || !request.ParseFromArray(data, static_cast<int>(size))) std::abort();
    // Sealed as a whole; and, when that was asked for, each answer by itself.
    const auto questions = picket::ksn::questions_of(request);
    if (!world.verifier.verify(reply, questions, 1'800'000'000)) std::abort();
    if (questions.empty() || !request.each_sealed()) continue;
    reply.clear_seal();
    if (!world.verifier.verify(reply, questions, 1'800'000'000)) std::abort();
  }
  return 0;
}
