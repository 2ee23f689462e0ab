// What can be seen without running anything of the plugin, and its entry, which only its static constructors precede.
#include <algorithm>

#include <picket/testing/fake_host.hpp>

#include "base/listed.hpp"
#include "check/case.hpp"
#include "package/settings_schema.hpp"

namespace picket::check {

namespace {

using package::ElfFacts;

// The rules themselves are the host's own (package::broken_rules): each case shows them one aspect of the file, the rest being in order.
ElfFacts in_order() {
  ElfFacts facts;
  facts.exports = {{PICKET_ENTRY_SYMBOL, false, true}};
  facts.bind_now = true;
  facts.relro = true;
  return facts;
}
Verdict hold_against_rules(const ElfFacts& facts, bool in_process) {
  const auto rules = package::broken_rules(facts, in_process);
  return rules.empty() ? pass() : failed(listed(rules, "; "));
}
template <class Copy>
Verdict look_at(const Subject& subject, Copy&& copy) {
  ElfFacts facts = in_order();
  copy(*subject.facts, facts);
  return hold_against_rules(facts, true);
}

Verdict shared_object(const Subject& subject) { return subject.facts ? pass() : failed(subject.facts.error().message); }

Verdict one_symbol(const Subject& subject) {
  return look_at(subject, [](const ElfFacts& from, ElfFacts& to) {
    to.exports = from.exports;
    std::erase_if(to.exports, [](const auto& symbol) { return symbol.unique; });
  });
}
Verdict no_unique_symbol(const Subject& subject) {
  for (const auto& symbol : subject.facts->exports)
    if (symbol.unique) return failed(cat("exports the unique symbol ", symbol.name, ", which keeps it mapped for ever (build it with -fno-gnu-unique)"));
  return pass();
}
Verdict no_search_path(const Subject& subject) {
  return look_at(subject, [](const ElfFacts& from, ElfFacts& to) { to.search_path = from.search_path; });
}
Verdict no_text_relocations(const Subject& subject) {
  return look_at(subject, [](const ElfFacts& from, ElfFacts& to) { to.text_relocations = from.text_relocations; });
}
Verdict no_executable_stack(const Subject& subject) {
  return look_at(subject, [](const ElfFacts& from, ElfFacts& to) { to.executable_stack = from.executable_stack; });
}
Verdict binds_at_load(const Subject& subject) {
  return look_at(subject, [](const ElfFacts& from, ElfFacts& to) { to.bind_now = from.bind_now; });
}

bool is_full_protobuf(std::string_view library) { return library.starts_with("libprotobuf.so."); }
// A rule for in-process plugins only is a warning for the others: the administrator may still want to move one there.
Verdict for_in_process(const Subject& subject, Verdict verdict) {
  if (verdict.outcome == Outcome::fail && subject.manifest && !subject.in_process()) return warning(verdict.text + " (this one prefers to be isolated)");
  return verdict;
}
Verdict known_libraries(const Subject& subject) {
  return for_in_process(subject, look_at(subject, [](const ElfFacts& from, ElfFacts& to) {
    to.needed = from.needed;
    std::erase_if(to.needed, is_full_protobuf);
  }));
}
Verdict lite_protobuf(const Subject& subject) {
  return for_in_process(subject, look_at(subject, [](const ElfFacts& from, ElfFacts& to) {
    std::copy_if(from.needed.begin(), from.needed.end(), std::back_inserter(to.needed), is_full_protobuf);
  }));
}

// Good manifests of which a host makes less than they say: of a later host's plugin, or of one that an administrator must allow more than others.
Verdict is_taken_by_hosts(const package::Manifest& manifest) {
  for (const auto& extension : manifest.requires_extensions)
    if (std::find(std::begin(all_extensions), std::end(all_extensions), extension) == std::end(all_extensions))
      return warning(cat("requires the extension ", extension, ": hosts of this version do not have it, and refuse the plugin"));
  if (manifest.preferred == package::Isolation::in_process && manifest.minimum == package::Isolation::isolated)
    return warning("isolation: preferred is in-process, but minimum is isolated: no host runs it in process");
  const auto may = manifest.check_topics(is_own_plugin(manifest.id) ? Standing::own : Standing::stranger);
  return may ? pass() : warning(may.error().message);
}
Verdict manifest(const Subject& subject) {
  if (!subject.manifest) return subject.manifest.error().code == Code::not_found ? skipped("no manifest was given") : failed(subject.manifest.error().message);
  const auto usable = package::SettingsSchema::compile(subject.manifest->settings_schema);
  return usable ? is_taken_by_hosts(*subject.manifest) : failed(usable.error().message);
}
Verdict digest(const Subject& subject) {
  if (!subject.manifest || subject.manifest->sha256.empty()) return skipped("the manifest has no sha256 yet");
  return subject.manifest->sha256 == subject.digest ? pass() : failed(cat("the manifest says sha256 ", subject.manifest->sha256, ", but the file has ", subject.digest));
}

Verdict entry(const Subject& subject) {
  testing::FakeHost host;
  if (!host.load(subject.library)) return failed(cat("does not load: ", host.why()));
  const picket_entry& said = *host.entry();
  if (said.magic != PICKET_ENTRY_MAGIC) return failed("the entry's magic is wrong");
  if (said.struct_size < offsetof(picket_entry, create) + sizeof said.create || said.create == nullptr) return failed("the entry has no create");
  if (said.abi_major != PICKET_ABI_MAJOR) return failed(cat("the entry says ABI major ", std::to_string(said.abi_major)));
  if (said.abi_minor_needed > said.abi_minor_built) return failed("the entry needs a later ABI minor than it was built with");
  if (said.reserved != 0) return failed("the entry's reserved member is not 0");
  if (!subject.manifest) return pass();
  if (subject.manifest->abi_major != said.abi_major) return failed(cat("the manifest says ABI major ", std::to_string(subject.manifest->abi_major), ", the entry ", std::to_string(said.abi_major)));
  if (subject.manifest->abi_minor_needed != said.abi_minor_needed)
    return failed(cat("the manifest says abi.minor_needed ", std::to_string(subject.manifest->abi_minor_needed), ", the entry ", std::to_string(said.abi_minor_needed)));
  return pass();
}

constexpr Case cases[] = {
    {"shared-object", "", &shared_object},
    {"one-symbol", "shared-object", &one_symbol},
    {"no-unique-symbol", "shared-object", &no_unique_symbol},
    {"no-search-path", "shared-object", &no_search_path},
    {"no-text-relocations", "shared-object", &no_text_relocations},
    {"no-executable-stack", "shared-object", &no_executable_stack},
    {"binds-at-load", "shared-object", &binds_at_load},
    {"known-libraries", "shared-object", &known_libraries},
    {"lite-protobuf", "shared-object", &lite_protobuf},
    {"manifest", "", &manifest},
    {"digest", "manifest", &digest},
    {"entry", "shared-object", &entry},
};

}  // namespace

std::span<const Case> static_cases() { return cases; }

}  // namespace picket::check
