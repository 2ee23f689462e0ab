// The digest that stands for a publisher's product.
#pragma once

#include <string>
#include <string_view>

namespace picket::ksn {

// SHA-256 over "picket-ksn-software-v1\n" + publisher + "\n" + product, both in lower case ASCII, outer white space cut and inner white
// space as one space; 32 raw bytes. An empty product stands for all of the publisher.
[[nodiscard]] std::string software_digest(std::string_view publisher, std::string_view product);

}  // namespace picket::ksn
