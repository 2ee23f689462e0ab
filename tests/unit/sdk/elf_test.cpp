#include "package/elf.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <random>

#include <elf.h>

#include "base/files.hpp"

namespace picket::package {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string seed(const std::string& name) {
  auto bytes = read_file(PICKET_ELF_SEEDS "/" + name, 1u << 20);
  if (!bytes) throw std::runtime_error(bytes.error().message);
  return *bytes;
}

template <class T>
T& at(std::string& file, std::size_t offset) {
  if (offset + sizeof(T) > file.size()) throw std::out_of_range("test looks beyond the file");
  return *reinterpret_cast<T*>(file.data() + offset);
}
Elf64_Ehdr& header(std::string& file) { return at<Elf64_Ehdr>(file, 0); }
Elf64_Phdr& segment(std::string& file, unsigned type) {
  for (unsigned i = 0; i < header(file).e_phnum; ++i) {
    auto& found = at<Elf64_Phdr>(file, header(file).e_phoff + i * sizeof(Elf64_Phdr));
    if (found.p_type == type) return found;
  }
  throw std::runtime_error("no such segment");
}
Elf64_Dyn& dynamic(std::string& file, std::int64_t tag) {
  for (std::size_t offset = segment(file, PT_DYNAMIC).p_offset;; offset += sizeof(Elf64_Dyn))
    if (auto& found = at<Elf64_Dyn>(file, offset); found.d_tag == tag) return found;
}

void expect_refused(const std::string& file, const char* why) {
  const auto facts = read_elf(file);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, Code::invalid);
  EXPECT_THAT(facts.error().message, HasSubstr(why));
}

TEST(Elf, says_what_a_good_plugin_is) {
  const auto facts = read_elf(seed("good"));
  ASSERT_TRUE(facts) << facts.error().message;
  ASSERT_EQ(facts->exports.size(), 1u);
  EXPECT_EQ(facts->exports[0].name, "picket_plugin_entry_v1");
  EXPECT_TRUE(facts->exports[0].data);
  EXPECT_TRUE(facts->bind_now);
  EXPECT_THAT(facts->needed, IsEmpty());
  EXPECT_THAT(broken_rules(*facts, true), IsEmpty());
}

TEST(Elf, reads_the_old_hash_table_too) {
  const auto facts = read_elf(seed("old_hash"));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_THAT(broken_rules(*facts, true), IsEmpty());
}

TEST(Elf, names_each_rule_that_a_file_breaks) {
  EXPECT_THAT(broken_rules(*read_elf(seed("exports_more")), false),
              ElementsAre(AllOf(HasSubstr("even_more"), HasSubstr("exports more")), HasSubstr("/opt/lib"), HasSubstr("-z,now")));
  EXPECT_THAT(broken_rules(*read_elf(seed("text_relocation")), false),
              ElementsAre(HasSubstr("executable stack"), HasSubstr("relocations in its code"), HasSubstr("-z,now")));
  const auto unique = read_elf(seed("unique"));
  ASSERT_TRUE(unique);
  EXPECT_EQ(std::count_if(unique->exports.begin(), unique->exports.end(), [](const auto& symbol) { return symbol.unique; }), 1);
  EXPECT_THAT(read_elf(seed("needs_libraries"))->needed, ElementsAre("libc.so.6", "libm.so.6"));
}

TEST(Elf, asks_for_known_libraries_in_process_only) {
  ElfFacts facts = *read_elf(seed("good"));
  facts.needed = {"libc.so.6", "libprotobuf.so.32", "libvendor.so.1", "libprotobuf-lite.so.32"};
  EXPECT_THAT(broken_rules(facts, true), ElementsAre(HasSubstr("libprotobuf.so.32"), HasSubstr("libvendor.so.1")));
  EXPECT_THAT(broken_rules(facts, false), IsEmpty());
  facts.needed = {"libcurl.so.4", "libidn2.so.0"};
  EXPECT_THAT(broken_rules(facts, true), IsEmpty());
  facts.needed = {"/tmp/libevil.so", "$ORIGIN/libevil.so"};
  EXPECT_EQ(broken_rules(facts, false).size(), 2u);
}

TEST(Elf, refuses_what_is_no_shared_object_of_this_machine) {
  expect_refused("", "no ELF header");
  expect_refused(seed("not_elf"), "no ELF header");
  auto file = seed("good");
  header(file).e_type = ET_EXEC;
  expect_refused(file, "not a shared object");
  file = seed("good");
  header(file).e_machine = EM_S390;
  expect_refused(file, "another machine");
  file = seed("good");
  header(file).e_ident[EI_CLASS] = ELFCLASS32;
  expect_refused(file, "another machine");
  file = seed("good");
  header(file).e_ident[EI_DATA] = ELFDATA2MSB;
  expect_refused(file, "another machine");
}

TEST(Elf, refuses_headers_that_point_outside) {
  auto file = seed("good");
  header(file).e_phoff = ~std::uint64_t{0} - 10;  // would wrap around
  expect_refused(file, "cut off");
  file = seed("good");
  header(file).e_phentsize = 1;
  expect_refused(file, "odd program headers");
  file = seed("good");
  header(file).e_phnum = 60000;
  expect_refused(file, "odd program headers");
  file = seed("good");
  header(file).e_phnum = 0;
  expect_refused(file, "no dynamic section");
  file = seed("good");
  segment(file, PT_DYNAMIC).p_offset = file.size() - 4;
  expect_refused(file, "cut off");
}

TEST(Elf, refuses_dynamic_sections_that_lie) {
  auto file = seed("good");
  const auto section = segment(file, PT_DYNAMIC);
  for (std::size_t offset = section.p_offset; offset < section.p_offset + section.p_filesz; offset += sizeof(Elf64_Dyn))
    if (auto& entry = at<Elf64_Dyn>(file, offset); entry.d_tag == DT_NULL) entry.d_tag = DT_DEBUG;
  expect_refused(file, "has no end");
  file = seed("good");
  dynamic(file, DT_STRTAB).d_un.d_ptr = 1u << 30;
  expect_refused(file, "no symbol table");
  file = seed("good");
  dynamic(file, DT_SYMTAB).d_un.d_ptr = 1u << 30;
  expect_refused(file, "no symbol table");
  file = seed("good");
  dynamic(file, DT_GNU_HASH).d_un.d_ptr = 1u << 30;
  expect_refused(file, "hash table");
  file = seed("needs_libraries");
  dynamic(file, DT_NEEDED).d_un.d_val = 1u << 30;
  expect_refused(file, "name lies outside");
}

TEST(Elf, refuses_hash_tables_without_an_end) {
  auto file = seed("good");
  const std::size_t table = dynamic(file, DT_GNU_HASH).d_un.d_ptr;  // the first segment lies at 0: address is offset
  at<std::uint32_t>(file, table) = 1u << 31;
  expect_refused(file, "hash table");
  file = seed("old_hash");
  at<std::uint32_t>(file, dynamic(file, DT_HASH).d_un.d_ptr + 4) = 1u << 31;
  expect_refused(file, "hash table");
}

// Prefixes and random damage: an answer or a refusal, always soon, never outside the bytes (the sanitizers watch).
TEST(Elf, survives_every_prefix_and_random_damage) {
  for (const char* name : {"good", "old_hash", "exports_more", "needs_libraries", "unique"}) {
    const std::string whole = seed(name);
    for (std::size_t size = 0; size < whole.size(); size += size < 256 ? 1 : 7) (void)read_elf(std::string(whole, 0, size));
    std::mt19937_64 random(7);
    for (int i = 0; i < 4000; ++i) {
      std::string damaged = whole;
      for (auto left = random() % 4 + 1; left > 0; --left) damaged[random() % damaged.size()] = static_cast<char>(random());
      if (const auto facts = read_elf(damaged)) (void)broken_rules(*facts, true);
    }
  }
}

}  // namespace
}  // namespace picket::package
