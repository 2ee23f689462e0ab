#include "repo/deltas.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "delta/make/make.hpp"
#include "repo/archive.hpp"

namespace picket::repo {

namespace {

constexpr std::uint64_t max_content = 1ull << 30;  // sorting takes eight times as much memory
// What a line of metadata costs everybody, whether they use the delta or not.
constexpr std::uint64_t metadata_cost = 512;

bool is_clearly_smaller(std::uint64_t delta, std::uint64_t full) { return delta + metadata_cost <= full - full / 4; }

Result<std::string> content_of(const Workspace& workspace, const trust::Release& release) {
  PICKET_LET(file, workspace.find_target(release.path, release.hashes.at("sha256")));
  PICKET_LET(content, read_content(file, release.format == "tar.zst", release.content_length));
  if (sha256_hex(content) != release.content_sha256) return fail(Code::untrusted, cat(file.native(), ": is not what was signed"));
  return std::move(content);
}

std::vector<trust::Release> of_variant(const Document& document, std::string_view variant) {
  auto out = releases_in(document);
  std::erase_if(out, [&](const auto& each) { return each.variant != variant; });
  return out;
}

// Why there is none; empty: it was staged and added.
std::string add_one(const Workspace& workspace, Document& document, const trust::Release& base, const trust::Release& fresh, std::string_view content, trust::Delta& delta) {
  if (base.content_length > max_content) return cat("release ", std::to_string(base.release), " is too large");
  auto old = content_of(workspace, base);
  if (!old) return old.error().message;
  auto made = delta::make(*old, content);
  if (!made) return made.error().message;
  delta.method = to_string(made->method);
  delta.length = made->bytes.size();
  delta.hashes = {{"sha256", sha256_hex(made->bytes)}};
  delta.path = trust::delta_path(delta);
  if (!is_clearly_smaller(delta.length, fresh.length)) return cat("it would have ", human_bytes(delta.length), ", the full download ", human_bytes(fresh.length));
  const auto file = workspace.staged_target(delta.path);
  auto written = make_folders(file.parent_path());
  if (written) written = write_file_atomic(file, made->bytes);
  if (!written) return written.error().message;
  document.body.at("targets").as_object()[delta.path] = json::object{{"length", static_cast<std::int64_t>(delta.length)},
                                                                     {"hashes", json::object{{"sha256", delta.hashes.at("sha256")}}},
                                                                     {"custom", trust::delta_custom(delta)}};
  return {};
}

}  // namespace

Result<std::vector<DeltaNews>> add_deltas(const Workspace& workspace, Document& document, const trust::Release& fresh, std::size_t count,
                                          const std::function<void(const DeltaNews&)>& tell) {
  std::vector<DeltaNews> out;
  auto bases = of_variant(document, fresh.variant);
  std::erase_if(bases, [&](const auto& each) { return each.release >= fresh.release || each.format != fresh.format; });
  std::reverse(bases.begin(), bases.end());
  if (bases.size() > count) bases.resize(count);
  // Too small for any delta to be worth its line.
  if (bases.empty() || !is_clearly_smaller(0, fresh.length) || fresh.content_length > max_content) return out;
  PICKET_LET(content, content_of(workspace, fresh));
  for (const auto& base : bases) {
    DeltaNews news;
    news.delta.component = fresh.component;
    news.delta.variant = fresh.variant;
    news.delta.release = fresh.release;
    news.delta.base = base.release;
    news.delta.base_sha256 = base.content_sha256;
    news.skipped = base.content_sha256 == fresh.content_sha256 ? "the content is the same" : add_one(workspace, document, base, fresh, content, news.delta);
    if (tell) tell(news);
    out.push_back(std::move(news));
  }
  return out;
}

void drop_deltas(Document& document, const trust::Release& fresh, std::size_t count) {
  const auto releases = of_variant(document, fresh.variant);
  const auto index_of = [&](std::int64_t number) {
    return std::find_if(releases.begin(), releases.end(), [&](const auto& each) { return each.release == number; }) - releases.begin();
  };
  const auto size = static_cast<std::ptrdiff_t>(releases.size());
  auto& targets = document.body.at("targets").as_object();
  for (const auto& delta : deltas_in(document)) {
    if (delta.variant != fresh.variant) continue;
    const auto base = index_of(delta.base), made = index_of(delta.release);
    const bool known = base < size && made < size;
    const bool is_newest = delta.release == fresh.release;
    const bool is_link = made == base + 1 && size - base <= 2 * static_cast<std::ptrdiff_t>(count) + 1;
    if (!known || !(is_newest || is_link)) targets.erase(delta.path);
  }
}

}  // namespace picket::repo
