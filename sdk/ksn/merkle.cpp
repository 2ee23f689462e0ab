// SHA256_* instead of EVP: the same code of OpenSSL without a call through the provider, which costs as much as hashing a node does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ksn/answers.hpp"

#include <cstdlib>
#include <cstring>

#include <openssl/sha.h>

namespace picket::ksn {
namespace {

constexpr std::size_t kHash = SHA256_DIGEST_LENGTH;

unsigned char* as_bytes(char* text) { return reinterpret_cast<unsigned char*>(text); }

// A message of at most two blocks (119 bytes) is padded here: half of what hashing a node costs is else spent on buffering it.
constexpr std::size_t kBlock = SHA256_CBLOCK, kShort = 2 * kBlock - 9;

void hash_short(unsigned char (&message)[2 * kBlock], std::size_t size, char* out) {
  const std::size_t blocks = size + 9 <= kBlock ? 1 : 2, end = blocks * kBlock;
  message[size] = 0x80;
  std::memset(message + size + 1, 0, end - size - 3);
  message[end - 2] = static_cast<unsigned char>(size * 8 >> 8);
  message[end - 1] = static_cast<unsigned char>(size * 8);
  SHA256_CTX context;
  SHA256_Init(&context);
  for (std::size_t i = 0; i < blocks; ++i) SHA256_Transform(&context, message + i * kBlock);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t byte = 0; byte < 4; ++byte) out[i * 4 + byte] = static_cast<char>(context.h[i] >> (24 - 8 * byte));
}

void hash_leaf(std::string_view record, char* out) {
  if (record.size() < kShort) {
    unsigned char message[2 * kBlock];
    message[0] = 0;
    if (!record.empty()) std::memcpy(message + 1, record.data(), record.size());
    hash_short(message, 1 + record.size(), out);
    return;
  }
  SHA256_CTX context;
  const char mark = 0;
  SHA256_Init(&context);
  SHA256_Update(&context, &mark, 1);
  SHA256_Update(&context, record.data(), record.size());
  SHA256_Final(as_bytes(out), &context);
}

// left and right may lie anywhere, also where `out` is.
void hash_node(const char* left, const char* right, char* out) {
  unsigned char message[2 * kBlock];
  message[0] = 1;
  std::memcpy(message + 1, left, kHash);
  std::memcpy(message + 1 + kHash, right, kHash);
  hash_short(message, 1 + 2 * kHash, out);
}

}  // namespace

void Tree::add(std::string_view record) {
  if (!level_sizes_.empty()) std::abort();  // a leaf after the tree was grown would be missing in its root
  const auto at = nodes_.size();
  nodes_.resize(at + kHash);
  hash_leaf(record, nodes_.data() + at);
  ++leaves_;
}

// A level's last node without a sibling goes up as it is: the same tree as splitting at the largest power of two (RFC 9162, 2.1.1).
void Tree::grow() {
  if (!level_sizes_.empty()) return;
  if (leaves_ == 0) {
    nodes_.resize(kHash);
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Final(as_bytes(nodes_.data()), &context);
    level_sizes_.push_back(0);
    return;
  }
  std::size_t size = leaves_, total = leaves_;
  level_sizes_.push_back(size);
  while (size > 1) {
    size = (size + 1) / 2;
    total += size;
    level_sizes_.push_back(size);
  }
  nodes_.resize(total * kHash);
  char* from = nodes_.data();
  for (std::size_t level = 0; level + 1 < level_sizes_.size(); ++level) {
    char* to = from + level_sizes_[level] * kHash;
    for (std::size_t i = 0; i < level_sizes_[level]; i += 2) {
      const char* left = from + i * kHash;
      char* out = to + i / 2 * kHash;
      if (i + 1 < level_sizes_[level])
        hash_node(left, left + kHash, out);
      else
        std::memcpy(out, left, kHash);
    }
    from = to;
  }
}

std::string_view Tree::root() {
  grow();
  return std::string_view(nodes_).substr(nodes_.size() - kHash);
}

void Tree::append_path(std::size_t leaf, std::string& out) {
  grow();
  if (leaf >= leaves_) std::abort();
  std::size_t begin = 0;
  for (std::size_t level = 0; level + 1 < level_sizes_.size(); ++level, leaf /= 2) {
    const auto sibling = leaf ^ 1;
    if (sibling < level_sizes_[level]) out.append(nodes_, (begin + sibling) * kHash, kHash);
    begin += level_sizes_[level];
  }
}

std::string merkle_root(std::span<const std::string_view> records) {
  Tree tree;
  for (const auto record : records) tree.add(record);
  return std::string(tree.root());
}

std::vector<std::string> merkle_paths(std::span<const std::string_view> records) {
  Tree tree;
  for (const auto record : records) tree.add(record);
  std::vector<std::string> out(records.size());
  for (std::size_t i = 0; i < out.size(); ++i) tree.append_path(i, out[i]);
  return out;
}

Result<std::string> merkle_root_of(std::string_view record, std::uint64_t leaf, std::uint64_t leaves, std::string_view path) {
  if (leaf >= leaves) return fail(Code::invalid, cat("leaf ", std::to_string(leaf), " of a tree of ", std::to_string(leaves)));
  const auto wrong_length = [leaf, leaves, size = path.size()] {
    return fail(Code::invalid, cat("an inclusion proof of ", std::to_string(size), " bytes does not fit leaf ", std::to_string(leaf), " of ", std::to_string(leaves)));
  };
  if (path.size() % kHash != 0 || path.size() > 64 * kHash) return wrong_length();
  std::string out(kHash, '\0');
  hash_leaf(record, out.data());
  std::uint64_t at = leaf, last = leaves - 1;
  for (; !path.empty(); path.remove_prefix(kHash), at >>= 1, last >>= 1) {
    if (last == 0) return wrong_length();
    if ((at & 1) != 0 || at == last) {
      hash_node(path.data(), out.data(), out.data());
      while ((at & 1) == 0 && at != 0) at >>= 1, last >>= 1;
    } else {
      hash_node(out.data(), path.data(), out.data());
    }
  }
  if (last != 0) return wrong_length();
  return out;
}

}  // namespace picket::ksn
