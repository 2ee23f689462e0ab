#include "digests/digests.hpp"

#include "digests/full.hpp"
#include "digests/light.hpp"
#include "digests/mapped_file.hpp"

namespace picket::digests {

namespace {

constexpr std::uint64_t kMostFileBytes = std::uint64_t{64} << 30;

class FullDatabase final : public Database {
 public:
  FullDatabase(MappedFile file, Full full, std::uint64_t bytes) : file_(std::move(file)), full_(full), bytes_(bytes) {}
  Known find(const Sha256& digest) const override { return full_.find(digest); }
  bool is_light() const override { return false; }
  Counts counts() const override { return full_.header().counts; }
  std::uint64_t bytes() const override { return bytes_; }
  Result<> check() const override { return full_.check(); }

 private:
  MappedFile file_;
  Full full_;
  std::uint64_t bytes_;
};

class LightDatabase final : public Database {
 public:
  LightDatabase(MappedFile file, Light light, std::uint64_t bytes) : file_(std::move(file)), light_(std::move(light)), bytes_(bytes) {}
  Known find(const Sha256& digest) const override {
    Known out;
    out.maybe = light_.may_hold(digest);
    return out;
  }
  bool is_light() const override { return true; }
  Counts counts() const override { return light_.header().counts; }
  std::uint64_t bytes() const override { return bytes_; }
  Result<> check() const override { return {}; }  // opening has looked at all that can be wrong by itself

 private:
  MappedFile file_;
  Light light_;
  std::uint64_t bytes_;
};

Result<std::shared_ptr<const Database>> database_of(MappedFile file, std::string_view bytes) {
  if (bytes.starts_with(format::kLightMagic)) {
    PICKET_LET(light, Light::read(bytes));
    return std::make_shared<const LightDatabase>(std::move(file), std::move(light), bytes.size());
  }
  if (bytes.starts_with(format::kFullMagic)) {
    PICKET_LET(full, Full::read(bytes));
    file.expect_jumps();
    return std::make_shared<const FullDatabase>(std::move(file), full, bytes.size());
  }
  return fail(Code::invalid, "is no digest database");
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::trusted: return "trusted";
    case Verdict::abusable: return "abusable";
    case Verdict::untrusted: return "untrusted";
    default: return "unknown";
  }
}

Result<format::Header> format::read_header(std::string_view bytes, std::string_view magic, std::string_view form) {
  const auto bad = [&](std::string_view what) { return fail(Code::invalid, cat("the ", form, " digest database is damaged: ", what)); };
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(magic)) return bad("its header is cut off");
  const char* const at = bytes.data();
  if (const auto version = load32(at + 8); version != version_of(magic))
    return fail(Code::unsupported, cat("the ", form, " digest database has version ", std::to_string(version), ", which this agent does not know"));
  Header out;
  out.form = load32(at + 12);
  out.digests = load64(at + 16);
  out.counts = {load64(at + 24), load64(at + 32), load64(at + 40)};
  out.entries = load32(at + 48);
  out.reference_bytes = load32(at + 52);
  out.tail = load64(at + 56);
  if (out.digests > kMostDigests) return bad("its number of digests is impossible");
  const auto& counts = out.counts;
  if (counts.untrusted > out.digests || counts.abusable > out.digests || counts.trusted > out.digests || counts.all() != out.digests)
    return bad("its counts of verdicts do not add up");
  return out;
}

Result<std::shared_ptr<const Database>> Database::of_bytes(std::string_view bytes) { return database_of({}, bytes); }

Result<std::shared_ptr<const Database>> Database::open(const std::filesystem::path& file) {
  auto mapped = MappedFile::open(file, kMostFileBytes);
  if (!mapped) return fail(std::move(mapped).error(), file.filename().native());
  const auto bytes = mapped->bytes();
  auto out = database_of(std::move(*mapped), bytes);
  if (!out) return fail(std::move(out).error(), file.filename().native());
  return out;
}

Result<std::shared_ptr<const Database>> Database::open_set(const std::filesystem::path& folder) {
  std::error_code error;
  const auto there = [&](std::string_view name) { return std::filesystem::symlink_status(folder / name, error).type() != std::filesystem::file_type::not_found; };
  const bool full = there(kFullName), light = there(kLightName);
  if (full && light) return fail(Code::invalid, cat("the set holds both ", kFullName, " and ", kLightName));
  if (!full && !light) return fail(Code::not_found, cat("the set holds no digests: neither ", kFullName, " nor ", kLightName));
  PICKET_LET(out, open(folder / (full ? kFullName : kLightName)));
  if (out->is_light() != light) return fail(Code::invalid, cat(full ? kFullName : kLightName, " has the other form's content"));
  return out;
}

}  // namespace picket::digests
