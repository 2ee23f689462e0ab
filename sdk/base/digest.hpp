#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace picket {

// Incremental digest; "sha256" and "sha512" are known (TUF 1.0.34, section 4.4 names no others that we accept).
class Digest {
 public:
  explicit Digest(std::string_view algorithm = "sha256");
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  [[nodiscard]] static bool is_known(std::string_view algorithm);
  void update(std::string_view bytes);
  [[nodiscard]] std::string finish_hex();  // lower case; the object is done after it

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace picket
