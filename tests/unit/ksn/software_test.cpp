#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/software.hpp"

namespace picket::ksn {
namespace {

TEST(SoftwareDigest, is_of_the_plain_form) {
  EXPECT_EQ(to_hex(software_digest("Example GmbH", "Editor 2")), sha256_hex("picket-ksn-software-v1\nexample gmbh\neditor 2"));
  EXPECT_EQ(software_digest("  Example\t\tGmbH \n", "EDITOR   2"), software_digest("example gmbh", "editor 2"));
  EXPECT_EQ(to_hex(software_digest("Example", " ")), sha256_hex("picket-ksn-software-v1\nexample\n"));
}

TEST(SoftwareDigest, differs_by_publisher_and_product) {
  EXPECT_NE(software_digest("a", "b"), software_digest("b", "a"));
  EXPECT_NE(software_digest("a b", ""), software_digest("a", "b"));
  EXPECT_NE(software_digest("a\nb", "c"), software_digest("a", "b\nc"));  // a line end inside is white space: it cannot move the border
  EXPECT_NE(software_digest("\xc3\x84", ""), software_digest("\xc3\xa4", ""));  // only ASCII is folded
}

}  // namespace
}  // namespace picket::ksn
