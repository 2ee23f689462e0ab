#define BOOST_DLL_USE_STD_FS  // else Boost.Filesystem would be one more library to load
#include "plugin_host/library.hpp"

#include <memory>

#include <boost/dll/shared_library.hpp>
#include <dlfcn.h>

#include "plugin_host/immortal.hpp"

namespace picket::plugin_host {

Result<> check_entry(const picket_entry& entry) {
  if (entry.magic != PICKET_ENTRY_MAGIC) return fail(Code::invalid, "the entry's magic number is wrong");
  if (entry.struct_size < sizeof(picket_entry))
    return fail(Code::invalid, cat("the entry has ", std::to_string(entry.struct_size), " bytes, at least ", std::to_string(sizeof(picket_entry)), " are needed"));
  if (entry.abi_major != PICKET_ABI_MAJOR)
    return fail(Code::unsupported, cat("made for major version ", std::to_string(entry.abi_major), " of the contract, this agent has ", std::to_string(PICKET_ABI_MAJOR)));
  if (entry.abi_minor_needed > PICKET_ABI_MINOR)
    return fail(Code::unsupported, cat("needs minor version ", std::to_string(entry.abi_minor_needed), " of the contract, this agent has ", std::to_string(PICKET_ABI_MINOR)));
  if (entry.create == nullptr) return fail(Code::invalid, "the entry has no create function");
  return {};
}

Result<const picket_entry*> load_library(UniqueFd sealed) {
  namespace dll = boost::dll;
  const auto path = cat("/proc/self/fd/", std::to_string(sealed.get()));
  const auto mode = dll::load_mode::rtld_now | dll::load_mode::rtld_local | static_cast<dll::load_mode::type>(RTLD_NODELETE);
  auto library = std::make_shared<dll::shared_library>();
  try {
    library->load(path, mode);
    static_cast<void>(sealed.release());
    keep_forever(library);
    const auto& entry = library->get<const picket_entry>(PICKET_ENTRY_SYMBOL);
    PICKET_TRY(check_entry(entry));
    return &entry;
  } catch (const std::exception& e) {
    // The text of dlerror comes with it; our name for the file says nothing to anybody.
    std::string why = e.what();
    for (auto at = why.find(path); at != std::string::npos; at = why.find(path)) why.replace(at, path.size(), "the library");
    return fail(Code::invalid, why);
  } catch (...) {
    return fail(Code::invalid, "a static constructor threw something");
  }
}

}  // namespace picket::plugin_host
