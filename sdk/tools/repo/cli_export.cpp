// export.
#include <cstdio>
#include <set>

#include "base/files.hpp"
#include "repo/export.hpp"
#include "repo/session.hpp"
#include "trust/folder_repository.hpp"
#include "trust/release.hpp"

namespace picket::repo {
namespace {

constexpr std::uint64_t kMaxDevice = 4u << 20;

// A component's name, or a file about a device.
Result<std::vector<ExportWish>> wishes_of(const std::string& word, const std::string& variant) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(word, error)) {
    if (auto good = trust::check_component_name(word); !good) return fail(Code::invalid, cat("'", word, "' is neither a component's name nor a file about a device"));
    return std::vector<ExportWish>{{word, variant}};
  }
  PICKET_LET(text, read_file(word, kMaxDevice));
  auto wishes = device_wishes(text);
  if (!wishes) return fail(std::move(wishes).error(), word);
  if (!variant.empty())
    for (auto& wish : *wishes) wish.variant = variant;
  return wishes;
}

Result<> export_for(const Options& options) {
  const auto variant = options.get("variant");
  if (!variant.empty() && variant != "full" && variant != "light") return options.wrong_usage(cat("--variant: '", variant, "' is neither full nor light"));
  auto words = options.positionals();
  const std::filesystem::path folder = words.back();
  words.pop_back();
  std::vector<ExportWish> wishes;
  for (const auto& word : words) {
    PICKET_LET(some, wishes_of(word, variant));
    wishes.insert(wishes.end(), some.begin(), some.end());
  }
  PICKET_LET(now, time_of(options));
  PICKET_TRY(trust::check_export_folder(folder));
  Progress progress("check");
  PICKET_LET(report, export_repository(repo_folder(options) / "repository", wishes, folder, now, progress));
  for (const auto& line : report.lines)
    std::printf("%s %s: release %lld, %s\n", line.component.c_str(), line.variant.c_str(), static_cast<long long>(line.release), human_bytes(line.bytes).c_str());
  std::printf("%s holds %zu file%s and the metadata, %s in all: an update source as it is.\n", folder.c_str(), report.lines.size(), report.lines.size() == 1 ? "" : "s",
              human_bytes(report.bytes).c_str());
  return {};
}

int run_export(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  options.value("variant", "full|light", "only this one (default: what a device wants; of a component all)").positional("DEVICE-OR-COMPONENTS... FOLDER", 2, 1000);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, export_for(options));
}

}  // namespace

std::vector<Command> export_commands() {
  return {{{"export", "DEVICE-OR-COMPONENTS... FOLDER",
            "Make a small repository for a removable drive: the newest release of these components, or of what a device demands, and the metadata that agents need. "
            "DEVICE is a file that picketctl component list --json printed there. FOLDER is new, empty, or an earlier export, which picket-export.txt in it tells and which is replaced at once; any other is left alone.",
            "  picket-repo export --repo /srv/picket yara-rules /media/stick/picket\n"
            "  picketctl component list --json > pc-7.json    # on the device\n"
            "  picket-repo export --repo /srv/picket pc-7.json /media/stick/picket"},
           run_export}};
}

}  // namespace picket::repo
