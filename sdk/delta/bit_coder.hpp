// Bits of known probability to bytes and back: a binary range coder, 64 bits wide, so that it seldom has to fetch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::delta {

class BitEncoder {
 public:
  // p: that the bit is 1, of 65536, never 0 nor 65536.
  int code(int bit, unsigned p) {
    const auto part = (range_ >> 16) * p;
    if (bit) {
      range_ = part;
    } else {
      low_ += part;
      if (low_ < part) carry();
      range_ -= part;
    }
    if (range_ >> 32 == 0) {
      for (int shift = 56; shift >= 32; shift -= 8) out_ += static_cast<char>(low_ >> shift);
      low_ <<= 32;
      range_ <<= 32;
    }
    return bit;
  }
  // The reader takes zeros for what is behind the end: the number of the interval that has the most of them.
  std::string finish() {
    for (int zeros = 63; zeros >= 0 && low_ != 0; --zeros) {
      const auto mask = (std::uint64_t{1} << zeros) - 1;
      const auto up = (mask - ((low_ - 1) & mask));  // to the next multiple
      if (up >= range_) continue;
      low_ += up;
      if (low_ < up) carry();
      for (; low_ != 0; low_ <<= 8) out_ += static_cast<char>(low_ >> 56);
    }
    while (!out_.empty() && out_.back() == '\0') out_.pop_back();
    return std::move(out_);
  }

 private:
  void carry() {
    for (auto i = out_.size(); i-- > 0;)
      if (++out_[i] != '\0') break;
  }
  std::uint64_t low_ = 0, range_ = ~std::uint64_t{0};
  std::string out_;
};

class BitDecoder {
 public:
  explicit BitDecoder(std::string_view bytes) : bytes_(bytes) {
    fetch();
    fetch();
  }
  int code(int, unsigned p) {
    const auto part = (range_ >> 16) * p;
    // No branch: half of them would be foretold wrongly, which costs more than all else here.
    const int bit = code_ < part;
    const auto zero = static_cast<std::uint64_t>(bit) - 1;  // all ones if the bit is 0
    code_ -= part & zero;
    range_ = part + ((range_ - 2 * part) & zero);
    if (range_ >> 32 == 0) {
      fetch();
      range_ <<= 32;
    }
    return bit;
  }
  // More was asked for than any encoder leaves out.
  [[nodiscard]] bool is_beyond() const { return at_ > bytes_.size() + 16; }

 private:
  void fetch() {
    for (int i = 0; i < 4; ++i, ++at_) code_ = (code_ << 8) | (at_ < bytes_.size() ? static_cast<std::uint8_t>(bytes_[at_]) : 0u);
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint64_t range_ = ~std::uint64_t{0}, code_ = 0;
};

}  // namespace picket::delta
