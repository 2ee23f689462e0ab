#include "rules.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yara.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/files.hpp"
#include "text.hpp"

namespace scanner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 20'000;
constexpr std::uint64_t kMostBytes = 256u << 20;  // of rules, in all
constexpr std::size_t kMostBroken = 100;
constexpr std::size_t kMostErrorsTold = 3;

struct Compiler {
  YR_COMPILER* handle = nullptr;
  ~Compiler() {
    if (handle != nullptr) ::yr_compiler_destroy(handle);
  }
};

// What the compiler says about one file.
struct Complaints {
  std::vector<std::string> first;
  std::size_t count = 0;
  const std::string* file = nullptr;
};

void on_complaint(int level, const char*, int line, const YR_RULE*, const char* message, void* into) {
  if (level != YARA_ERROR_LEVEL_ERROR) return;  // warnings are between the author and the compiler
  auto& complaints = *static_cast<Complaints*>(into);
  if (++complaints.count <= kMostErrorsTold) complaints.first.push_back(printable(*complaints.file, 200) + "(" + std::to_string(line) + "): " + printable(message, 300));
}

struct Found {
  std::vector<std::string> sources;   // relative, sorted
  std::vector<std::string> compiled;
};

Outcome<Found> find_files(const fs::path& folder) {
  std::error_code error;
  Found found;
  fs::recursive_directory_iterator it(folder, error);
  if (error) return failed(PICKET_E_IO, "folder " + printable(folder.native()) + ": " + error.message());
  for (const fs::recursive_directory_iterator end; it != end; it.increment(error)) {
    if (it->is_symlink(error)) {
      it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(error)) continue;
    const auto extension = it->path().extension();
    if (extension != ".yar" && extension != ".yara" && extension != ".yarc") continue;
    if (found.sources.size() + found.compiled.size() >= kMostFiles) return failed(PICKET_E_TOO_LARGE, "more than " + std::to_string(kMostFiles) + " files of rules");
    (extension == ".yarc" ? found.compiled : found.sources).push_back(it->path().lexically_relative(folder).native());
  }
  if (error) return failed(PICKET_E_IO, "folder " + printable(folder.native()) + ": " + error.message());
  std::sort(found.sources.begin(), found.sources.end());
  return found;
}

Outcome<std::string> read(const fs::path& path, std::uint64_t most) {
  const picket::UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return failed(PICKET_E_IO, printable(path.native()) + " cannot be read");
  if (static_cast<std::uint64_t>(about.st_size) > most) return failed(PICKET_E_TOO_LARGE, "more than " + std::to_string(kMostBytes >> 20) + " MiB of rules");
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t n = ::read(file.get(), text.data() + got, text.size() - got);
    if (n <= 0) return failed(PICKET_E_IO, printable(path.native()) + " cannot be read");
    got += static_cast<std::size_t>(n);
  }
  if (text.find('\0') != std::string::npos) return failed(PICKET_E_INVALID, printable(path.filename().native()) + " is no text");
  return text;
}

Outcome<YR_RULES*> load_compiled(const fs::path& path) {
  YR_RULES* rules = nullptr;
  const int code = ::yr_rules_load(path.c_str(), &rules);
  if (code == ERROR_UNSUPPORTED_FILE_VERSION) return failed(PICKET_E_UNSUPPORTED, path.filename().native() + " was compiled by another version of YARA");
  if (code != ERROR_SUCCESS) return failed(PICKET_E_INVALID, printable(path.filename().native()) + ": " + yara_error(code));
  return rules;
}

struct Broken {
  std::size_t file = 0;  // index into the list
  std::string why;       // empty: another failure, in `failure`
  Failure failure;
};

// A compiler that has met an error takes no further file, so the first broken file ends it.
tl::expected<YR_RULES*, Broken> compile(const fs::path& folder, const std::vector<std::string>& files, const Rules::Options& options) {
  const auto give_up = [](Failure failure) { return tl::unexpected<Broken>({0, {}, std::move(failure)}); };
  Compiler compiler;
  if (const int code = ::yr_compiler_create(&compiler.handle); code != ERROR_SUCCESS) return give_up({PICKET_E_INTERNAL, yara_error(code)});
  for (const char* name : kExternals)
    if (const int code = ::yr_compiler_define_string_variable(compiler.handle, name, ""); code != ERROR_SUCCESS) return give_up({PICKET_E_INTERNAL, yara_error(code)});
  Complaints complaints;
  ::yr_compiler_set_callback(compiler.handle, &on_complaint, &complaints);
  ::yr_compiler_set_include_callback(compiler.handle, nullptr, nullptr, nullptr);  // a set is its files: none is read twice, and nothing outside
  std::uint64_t left = kMostBytes;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (options.cancelled != nullptr && *options.cancelled) return give_up({PICKET_E_CANCELLED, "cancelled"});
    const auto text = read(folder / files[i], left);
    if (!text) {
      if (text.error().status == PICKET_E_INVALID) return tl::unexpected<Broken>({i, text.error().text, {}});
      return give_up(text.error());
    }
    left -= text->size();
    complaints.file = &files[i];
    const int errors = ::yr_compiler_add_string(compiler.handle, text->c_str(), files[i].c_str());
    if (errors == 0 && complaints.count == 0) continue;
    std::string why;
    for (const auto& one : complaints.first) why.append(why.empty() ? "" : "; ").append(one);
    if (complaints.count > kMostErrorsTold) why += "; and " + std::to_string(complaints.count - kMostErrorsTold) + " more";
    return tl::unexpected<Broken>({i, why.empty() ? printable(files[i], 200) + " does not compile" : why, {}});
  }
  YR_RULES* rules = nullptr;
  if (const int code = ::yr_compiler_get_rules(compiler.handle, &rules); code != ERROR_SUCCESS) return give_up({PICKET_E_INTERNAL, yara_error(code)});
  return rules;
}

}  // namespace

std::string yara_error(int code) {
  switch (code) {
    case ERROR_INSUFFICIENT_MEMORY: return "YARA has not enough memory";
    case ERROR_COULD_NOT_OPEN_FILE: return "YARA cannot open it";
    case ERROR_INVALID_FILE: return "these are no compiled rules of YARA";
    case ERROR_CORRUPT_FILE: return "the compiled rules are corrupt";
    case ERROR_SCAN_TIMEOUT: return "it took too long";
    case ERROR_TOO_MANY_MATCHES: return "too many matches";
    case ERROR_TOO_MANY_RE_FIBERS: return "a regular expression needs too much memory on it";
    case ERROR_EXEC_STACK_OVERFLOW: return "a condition is too deep";
    default: return "YARA error " + std::to_string(code);
  }
}

Rules::Rules(YR_RULES* rules) : rules_(rules), count_(rules->num_rules) {}

Rules::~Rules() { ::yr_rules_destroy(rules_); }

Outcome<std::shared_ptr<const Rules>> Rules::load(const std::string& folder, const Options& options) {
  auto found = find_files(folder);
  if (!found) return tl::unexpected(found.error());
  if (found->compiled.size() > 1) return failed(PICKET_E_INVALID, "the set holds " + std::to_string(found->compiled.size()) + " files of compiled rules: only one is possible");
  if (!found->compiled.empty()) {
    const auto rules = load_compiled(fs::path(folder) / found->compiled.front());
    if (!rules) return tl::unexpected(rules.error());
    return std::shared_ptr<const Rules>(new Rules(*rules));
  }
  auto& files = found->sources;
  if (files.empty()) return failed(PICKET_E_INVALID, "the set holds no rules: no *.yar, *.yara or *.yarc in it");
  std::vector<std::string> broken;
  while (!files.empty()) {
    const auto rules = compile(folder, files, options);
    if (rules) {
      std::shared_ptr<Rules> loaded(new Rules(*rules));
      if (loaded->count_ == 0) return failed(PICKET_E_INVALID, "the set holds no rules: its files are empty");
      if (!broken.empty()) loaded->note_ = std::to_string(broken.size()) + " files left out: " + broken.front();
      return std::shared_ptr<const Rules>(std::move(loaded));
    }
    if (rules.error().why.empty()) return tl::unexpected(rules.error().failure);
    broken.push_back(rules.error().why);
    if (!options.tolerate_broken_files || broken.size() > kMostBroken) break;
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(rules.error().file));
  }
  return failed(PICKET_E_INVALID, (broken.size() > 1 ? "these rules do not compile, nor others: " : "rules do not compile: ") + broken.front());
}

}  // namespace scanner
