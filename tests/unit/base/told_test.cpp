#include "base/told.hpp"

#include <gtest/gtest.h>

TEST(Told, is_exactly_four_items_in_one_line) {
  EXPECT_EQ(picket::user_agent({"Picket", "0.1.0", "5f0c", "KEY-1", "17"}), "Picket/0.1.0 (installation 5f0c; licence KEY-1; run 17)");
  EXPECT_EQ(picket::user_agent({.version = "1", .installation = {}, .licence_key = {}, .run = "2"}), "Picket/1 (installation -; licence -; run 2)");
}

TEST(Told, cannot_be_used_to_write_headers_of_ones_own) {
  const auto text = picket::user_agent({"Picket", "1", "a\r\nX: y", std::string(1000, 'k'), "(;) \xff"});
  EXPECT_EQ(text, "Picket/1 (installation a__X:_y; licence " + std::string(64, 'k') + "; run _____)");
}
