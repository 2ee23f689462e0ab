// What was read of a client and not used yet. Inside the object while it is small, which is always for a sane client.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace distribution_point {

class ReadBuffer {
 public:
  // `all`: the bytes of all that are large.
  explicit ReadBuffer(std::atomic<std::uint64_t>& all) : all_(all) {}
  ~ReadBuffer() { use_large({}); }
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  [[nodiscard]] std::string_view bytes() const { return {large_.empty() ? small_.data() : large_.data(), have_}; }
  [[nodiscard]] char* room() { return data() + have_; }
  [[nodiscard]] std::size_t room_bytes() const { return capacity() - have_; }
  void add(std::size_t bytes) { have_ += bytes; }  // in room()

  // False: that would be more than `most`, or more in all than `most_of_all`.
  [[nodiscard]] bool make_room(std::size_t most, std::uint64_t most_of_all) {
    if (have_ < capacity()) return true;
    // By and by: who only says that much will come gets no room for it.
    const std::size_t size = std::min(most, 4 * capacity());
    if (size <= capacity() || all_ + size > most_of_all) return false;
    std::vector<char> larger(size);
    std::memcpy(larger.data(), data(), have_);
    use_large(std::move(larger));
    return true;
  }
  // The first of them.
  void forget(std::size_t bytes) {
    have_ -= bytes;
    std::memmove(data(), data() + bytes, have_);
    if (large_.empty() || have_ > small_.size()) return;
    std::memcpy(small_.data(), large_.data(), have_);
    use_large({});
  }
  void clear() { forget(have_); }

 private:
  [[nodiscard]] char* data() { return large_.empty() ? small_.data() : large_.data(); }
  [[nodiscard]] std::size_t capacity() const { return large_.empty() ? small_.size() : large_.size(); }
  void use_large(std::vector<char> buffer) {
    all_ += buffer.size() - large_.size();
    large_ = std::move(buffer);
  }

  std::atomic<std::uint64_t>& all_;
  std::array<char, 1024> small_;
  std::vector<char> large_;
  std::size_t have_ = 0;
};

}  // namespace distribution_point
