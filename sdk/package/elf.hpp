// What a shared object says about itself, without running any of it. Own bounds-checked reader: files come from strangers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::package {

struct ElfFacts {
  struct Symbol {
    std::string name;
    bool unique = false;  // STB_GNU_UNIQUE: pins the library in memory for ever
    bool data = false;
  };
  std::vector<Symbol> exports;      // what the dynamic loader can find
  std::vector<std::string> needed;  // DT_NEEDED
  std::string search_path;          // RPATH or RUNPATH
  bool executable_stack = false, text_relocations = false, bind_now = false, relro = false;
};

// 64-bit little-endian shared objects of this machine's kind. Code::invalid.
[[nodiscard]] Result<ElfFacts> read_elf(std::string_view file);

// Every rule of the contract that the facts break, one line each; empty when all is well.
// In process more is asked: only known system libraries, and not the full protobuf runtime (two copies of a .proto abort at load).
[[nodiscard]] std::vector<std::string> broken_rules(const ElfFacts& facts, bool in_process);

}  // namespace picket::package
