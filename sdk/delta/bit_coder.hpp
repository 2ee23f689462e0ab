// Bits of known probability to bytes and back: a carry-less binary range coder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace picket::delta {

class BitEncoder {
 public:
  // p: that the bit is 1, of 65536, never 0 nor 65536.
  int code(int bit, unsigned p) {
    const auto middle = low_ + static_cast<std::uint32_t>((std::uint64_t{high_ - low_} * p) >> 16);
    if (bit) high_ = middle; else low_ = middle + 1;
    while (((low_ ^ high_) >> 24) == 0) {
      out_ += static_cast<char>(high_ >> 24);
      low_ <<= 8;
      high_ = (high_ << 8) | 255;
    }
    return bit;
  }
  // The reader takes zeros for what is behind the end.
  std::string finish() {
    if (low_ != 0) out_ += static_cast<char>((low_ >> 24) + 1);
    return std::move(out_);
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  std::uint32_t low_ = 0, high_ = 0xffff'ffff;
  std::string out_;
};

class BitDecoder {
 public:
  explicit BitDecoder(std::string_view bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; ++i) code_ = (code_ << 8) | take();
  }
  int code(int, unsigned p) {
    const auto middle = low_ + static_cast<std::uint32_t>((std::uint64_t{high_ - low_} * p) >> 16);
    const int bit = code_ <= middle;
    if (bit) high_ = middle; else low_ = middle + 1;
    while (((low_ ^ high_) >> 24) == 0) {
      low_ <<= 8;
      high_ = (high_ << 8) | 255;
      code_ = (code_ << 8) | take();
    }
    return bit;
  }
  // More was asked for than any encoder leaves out.
  [[nodiscard]] bool is_beyond() const { return at_ > bytes_.size() + 8; }

 private:
  std::uint32_t take() {
    const auto at = at_++;
    return at < bytes_.size() ? static_cast<std::uint8_t>(bytes_[at]) : 0;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint32_t low_ = 0, high_ = 0xffff'ffff, code_ = 0;
};

}  // namespace picket::delta
