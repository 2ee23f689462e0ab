#include "package/elf.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include <elf.h>

namespace picket::package {

namespace {

using std::size_t;

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half this_machine = EM_AARCH64;
#else
#error "say which machine's shared objects this agent loads"
#endif
static_assert(std::endian::native == std::endian::little);

constexpr size_t max_symbols = 1u << 20, max_exports = 4096, max_dynamic = 4096, max_needed = 256, max_segments = 256;

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  template <class T>
  [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
    if (offset > file_.size() || file_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof value);
    return value;
  }
  [[nodiscard]] std::optional<std::string> text_at(std::uint64_t offset) const {
    if (offset >= file_.size()) return std::nullopt;
    const auto end = file_.find('\0', offset);
    if (end == std::string_view::npos || end - offset > 4096) return std::nullopt;
    return std::string(file_.substr(offset, end - offset));
  }

  std::vector<Elf64_Phdr> segments;
  // Where the bytes of a virtual address lie in the file.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const auto& segment : segments)
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    return std::nullopt;
  }

 private:
  std::string_view file_;
};

tl::unexpected<Error> broken(std::string_view what) { return fail(Code::invalid, cat("not a usable shared object: ", what)); }

struct Dynamic {
  std::uint64_t strings = 0, symbols = 0, gnu_hash = 0, hash = 0;
  std::vector<std::uint64_t> needed;
  std::optional<std::uint64_t> search_path;
  bool text_relocations = false, bind_now = false;
};

Result<Dynamic> read_dynamic(const Reader& reader, const Elf64_Phdr& segment) {
  Dynamic out;
  for (size_t i = 0; i < max_dynamic && (i + 1) * sizeof(Elf64_Dyn) <= segment.p_filesz; ++i) {
    const auto entry = reader.at<Elf64_Dyn>(segment.p_offset + i * sizeof(Elf64_Dyn));
    if (!entry) return broken("the dynamic section is cut off");
    switch (entry->d_tag) {
      case DT_NULL: return out;
      case DT_STRTAB: out.strings = entry->d_un.d_ptr; break;
      case DT_SYMTAB: out.symbols = entry->d_un.d_ptr; break;
      case DT_GNU_HASH: out.gnu_hash = entry->d_un.d_ptr; break;
      case DT_HASH: out.hash = entry->d_un.d_ptr; break;
      case DT_NEEDED:
        if (out.needed.size() == max_needed) return broken("it needs too many libraries");
        out.needed.push_back(entry->d_un.d_val);
        break;
      case DT_RPATH:
      case DT_RUNPATH: out.search_path = entry->d_un.d_val; break;
      case DT_TEXTREL: out.text_relocations = true; break;
      case DT_BIND_NOW: out.bind_now = true; break;
      case DT_FLAGS:
        out.text_relocations |= (entry->d_un.d_val & DF_TEXTREL) != 0;
        out.bind_now |= (entry->d_un.d_val & DF_BIND_NOW) != 0;
        break;
      case DT_FLAGS_1: out.bind_now |= (entry->d_un.d_val & DF_1_NOW) != 0; break;
      default: break;
    }
  }
  return broken("the dynamic section has no end");
}

// Exactly the symbols that the loader finds by name: those in the hash table.
Result<std::pair<std::uint64_t, std::uint64_t>> hashed_range(const Reader& reader, const Dynamic& dynamic) {
  if (dynamic.gnu_hash == 0) {
    const auto table = reader.offset_of(dynamic.hash);
    const auto count = table ? reader.at<std::uint32_t>(*table + 4) : std::nullopt;
    if (dynamic.hash == 0 || !count || *count > max_symbols) return broken("no usable symbol hash table");
    return std::pair<std::uint64_t, std::uint64_t>{1, *count};
  }
  const auto table = reader.offset_of(dynamic.gnu_hash);
  const auto head = table ? reader.at<std::array<std::uint32_t, 4>>(*table) : std::nullopt;
  if (!head || (*head)[0] > max_symbols || (*head)[2] > max_symbols) return broken("no usable symbol hash table");
  const auto [buckets, first, bloom, shift] = *head;
  const std::uint64_t buckets_at = *table + 16 + std::uint64_t{bloom} * 8, chains_at = buckets_at + std::uint64_t{buckets} * 4;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < buckets; ++i) {
    const auto bucket = reader.at<std::uint32_t>(buckets_at + std::uint64_t{i} * 4);
    if (!bucket) return broken("the symbol hash table is cut off");
    last = std::max(last, *bucket);
  }
  if (last < first) return std::pair<std::uint64_t, std::uint64_t>{first, first};
  for (size_t steps = 0; steps < max_symbols; ++steps, ++last) {
    const auto link = reader.at<std::uint32_t>(chains_at + (std::uint64_t{last} - first) * 4);
    if (!link) return broken("the symbol hash table is cut off");
    if ((*link & 1) != 0) return std::pair<std::uint64_t, std::uint64_t>{first, std::uint64_t{last} + 1};
  }
  return broken("the symbol hash table has no end");
}

// System libraries that may live beside the host's own in one process.
constexpr std::string_view in_process_libraries[] = {
    "libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "libgcc_s.so.", "libstdc++.so.", "ld-linux",
    "libprotobuf-lite.so.", "libcurl.so.", "libcurl-gnutls.so.", "libssl.so.", "libcrypto.so.", "libz.so.", "libzstd.so.", "liblzma.so.", "libbz2.so.", "libarchive.so.",
    "libyara.so.", "liblmdb.so.", "libsqlite3.so.", "libboost_json.so.", "libboost_url.so.", "libboost_container.so.", "libfmt.so.", "libcares.so.", "libmagic.so.",
    "libhiredis.so.", "libidn2.so.", "libasan.so.", "libubsan.so.", "libtsan.so.", "libatomic.so."};

}  // namespace

Result<ElfFacts> read_elf(std::string_view file) {
  Reader reader(file);
  const auto header = reader.at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return broken("no ELF header");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != this_machine)
    return broken("it is for another machine");
  if (header->e_type != ET_DYN) return broken("not a shared object");
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > max_segments) return broken("odd program headers");

  ElfFacts out;
  const Elf64_Phdr* dynamic_segment = nullptr;
  out.executable_stack = true;  // what the kernel assumes without a PT_GNU_STACK
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto segment = reader.at<Elf64_Phdr>(header->e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
    if (!segment) return broken("the program headers are cut off");
    reader.segments.push_back(*segment);
    if (segment->p_type == PT_GNU_STACK) out.executable_stack = (segment->p_flags & PF_X) != 0;
    if (segment->p_type == PT_GNU_RELRO) out.relro = true;
  }
  for (const auto& segment : reader.segments)
    if (segment.p_type == PT_DYNAMIC) dynamic_segment = &segment;
  if (dynamic_segment == nullptr) return broken("no dynamic section");

  PICKET_LET(dynamic, read_dynamic(reader, *dynamic_segment));
  const auto strings = reader.offset_of(dynamic.strings), symbols = reader.offset_of(dynamic.symbols);
  if (!strings || !symbols) return broken("no symbol table");
  for (const auto name : dynamic.needed) {
    auto text = reader.text_at(*strings + name);
    if (!text) return broken("a library's name lies outside the file");
    out.needed.push_back(std::move(*text));
  }
  if (dynamic.search_path) out.search_path = reader.text_at(*strings + *dynamic.search_path).value_or("?");
  out.text_relocations = dynamic.text_relocations;
  out.bind_now = dynamic.bind_now;

  PICKET_LET(range, hashed_range(reader, dynamic));
  for (auto i = range.first; i < range.second; ++i) {
    const auto symbol = reader.at<Elf64_Sym>(*symbols + i * sizeof(Elf64_Sym));
    if (!symbol) return broken("the symbol table is cut off");
    const auto bind = ELF64_ST_BIND(symbol->st_info);
    if (symbol->st_shndx == SHN_UNDEF || bind == STB_LOCAL) continue;
    if (out.exports.size() == max_exports) return broken("it exports too many symbols");
    auto name = reader.text_at(*strings + symbol->st_name);
    if (!name) return broken("a symbol's name lies outside the file");
    out.exports.push_back({std::move(*name), bind == STB_GNU_UNIQUE, ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT});
  }
  return out;
}

std::vector<std::string> broken_rules(const ElfFacts& facts, bool in_process) {
  constexpr std::string_view entry = "picket_plugin_entry_v1";
  std::vector<std::string> out;
  bool has_entry = false;
  std::string others;
  for (const auto& symbol : facts.exports) {
    if (symbol.name == entry) {
      has_entry = true;
      if (!symbol.data) out.push_back(cat(entry, " is not a data object"));
    } else if (others.size() < 200) {
      others += cat(others.empty() ? "" : ", ", symbol.name);
    }
  }
  if (!has_entry) out.push_back(cat("does not export ", entry));
  if (!others.empty()) out.push_back(cat("exports more than ", entry, ": ", others, " (build it with -fvisibility=hidden, link it with the SDK's plugin.map)"));
  if (!facts.search_path.empty()) out.push_back(cat("has a library search path: ", facts.search_path));
  if (facts.executable_stack) out.emplace_back("needs an executable stack");
  if (facts.text_relocations) out.emplace_back("has relocations in its code (build it with -fPIC)");
  if (!facts.bind_now) out.emplace_back("does not bind all symbols at load (link it with -Wl,-z,now)");
  for (const auto& library : facts.needed) {
    if (library.find('/') != std::string::npos || library.find('$') != std::string::npos) {
      out.push_back(cat("needs a library by path: ", library));
    } else if (in_process && library.starts_with("libprotobuf.so.")) {
      out.push_back(cat("needs ", library, ": in process only the lite runtime may be used"));
    } else if (in_process && std::none_of(std::begin(in_process_libraries), std::end(in_process_libraries),
                                          [&](std::string_view known) { return library.starts_with(known); })) {
      out.push_back(cat("needs ", library, ", which is not among the libraries allowed in process"));
    }
  }
  return out;
}

}  // namespace picket::package
