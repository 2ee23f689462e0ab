// The vectors are those of Certificate Transparency's reference implementation, which RFC 9162 describes.
#include <gtest/gtest.h>

#include <array>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/answers.hpp"

namespace picket::ksn {
namespace {

std::string bytes(std::string_view hex) { return *from_hex(hex); }

const std::vector<std::string>& leaves() {
  static const std::vector<std::string> out{"",         bytes("00"),       bytes("10"),               bytes("2021"), bytes("3031"), bytes("40414243"),
                                            bytes("5051525354555657"), bytes("606162636465666768696a6b6c6d6e6f")};
  return out;
}
std::vector<std::string_view> first(std::size_t count) { return {leaves().begin(), leaves().begin() + static_cast<std::ptrdiff_t>(count)}; }

constexpr std::array<std::string_view, 9> roots{
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

TEST(Merkle, gives_the_published_roots) {
  for (std::size_t count = 0; count <= 8; ++count) EXPECT_EQ(to_hex(merkle_root(first(count))), roots[count]) << count;
}

TEST(Merkle, gives_the_published_paths) {
  const auto path = [](std::size_t leaf, std::size_t count) { return to_hex(merkle_paths(first(count))[leaf]); };
  EXPECT_EQ(path(0, 1), "");
  EXPECT_EQ(path(0, 8),
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4");
  EXPECT_EQ(path(5, 8),
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
  EXPECT_EQ(path(2, 3), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
  EXPECT_EQ(path(1, 5),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
}

// The definition of RFC 9162, 2.1.1, word for word: split at the largest power of two below the size.
std::string defined_root(std::span<const std::string_view> records) {
  if (records.size() == 1) return bytes(sha256_hex(cat(std::string_view("\0", 1), records[0])));
  std::size_t half = 1;
  while (half * 2 < records.size()) half *= 2;
  return bytes(sha256_hex(cat("\1", defined_root(records.first(half)), defined_root(records.subspan(half)))));
}

TEST(Merkle, is_what_the_rfc_defines_for_every_size) {
  std::vector<std::string> texts;
  for (int i = 0; i < 130; ++i) texts.push_back("record " + std::to_string(i * 7919));
  Tree tree;
  for (std::size_t count = 1; count <= texts.size(); ++count) {
    const std::vector<std::string_view> records(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(count));
    const auto root = defined_root(records);
    ASSERT_EQ(merkle_root(records), root) << count;
    tree.clear();
    for (const auto record : records) tree.add(record);
    ASSERT_EQ(tree.root(), root) << count;
    const auto paths = merkle_paths(records);
    for (std::size_t leaf = 0; leaf < count; ++leaf) {
      const auto reached = merkle_root_of(records[leaf], leaf, count, paths[leaf]);
      ASSERT_TRUE(reached) << reached.error().message;
      ASSERT_EQ(*reached, root) << leaf << " of " << count;
    }
  }
}

TEST(Merkle, hashes_records_of_every_length) {
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string record(size, static_cast<char>(size));
    const std::vector<std::string_view> one{record};
    ASSERT_EQ(to_hex(merkle_root(one)), sha256_hex(cat(std::string_view("\0", 1), record))) << size;
  }
}

TEST(Merkle, another_record_leaf_size_or_path_leads_elsewhere) {
  const auto paths = merkle_paths(first(7));
  const auto root = bytes(roots[7]);
  for (std::size_t leaf = 0; leaf < 7; ++leaf) {
    EXPECT_NE(merkle_root_of("x", leaf, 7, paths[leaf]).value(), root);
    for (std::size_t other = 0; other < 7; ++other) {
      const auto reached = merkle_root_of(leaves()[leaf], other, 7, paths[leaf]);
      EXPECT_TRUE(other == leaf || !reached || *reached != root) << leaf << " as " << other;
    }
    for (std::size_t at = 0; at < paths[leaf].size(); at += 13) {
      auto changed = paths[leaf];
      changed[at] = static_cast<char>(changed[at] ^ 1);
      EXPECT_NE(merkle_root_of(leaves()[leaf], leaf, 7, changed).value(), root);
    }
  }
}

TEST(Merkle, refuses_a_path_of_the_wrong_length) {
  const auto paths = merkle_paths(first(8));
  EXPECT_EQ(merkle_root_of(leaves()[0], 0, 8, paths[0].substr(32)).error().code, Code::invalid);
  EXPECT_EQ(merkle_root_of(leaves()[0], 0, 8, paths[0] + paths[0]).error().code, Code::invalid);
  EXPECT_EQ(merkle_root_of(leaves()[0], 0, 8, paths[0].substr(1)).error().code, Code::invalid);
  EXPECT_EQ(merkle_root_of(leaves()[0], 0, 1, std::string(32, 'x')).error().code, Code::invalid);
  EXPECT_EQ(merkle_root_of(leaves()[0], 8, 8, paths[0]).error().code, Code::invalid);
  EXPECT_EQ(merkle_root_of(leaves()[0], 0, 0, "").error().code, Code::invalid);
  EXPECT_EQ(merkle_root_of(leaves()[0], 0, ~std::uint64_t{0}, std::string(65 * 32, 'x')).error().code, Code::invalid);
}

}  // namespace
}  // namespace picket::ksn
