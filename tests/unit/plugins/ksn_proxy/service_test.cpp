#include "service.hpp"

#include <gtest/gtest.h>

#include "settings.hpp"

using namespace ksn_proxy;

namespace {

TEST(KsnProxyPage, shows_figures_and_nothing_that_a_name_could_smuggle_in) {
  BrokerCounters broker;
  broker.digests = 1000;
  broker.from_cache = 987;
  ForwarderCounters forwarder;
  forwarder.outbox.waiting = 12;
  const auto named = figures(broker, forwarder, {});
  EXPECT_EQ(named.at("waiting_messages"), 12u);
  const auto page = status_page({"<script>alert(1)</script>", true, "1.0"}, "a & b", "\"up\"", 1'700'000'000, named);
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(page.find("a &amp; b"), std::string::npos);
  EXPECT_NE(page.find("98.7 %"), std::string::npos);
  EXPECT_NE(page.find("2023-11-14 22:13:20Z"), std::string::npos);
}

TEST(KsnProxySettings, are_read_with_the_defaults_of_the_schema) {
  const auto defaults = parse_settings("{}");
  ASSERT_TRUE(defaults);
  EXPECT_FALSE(defaults->enabled);
  EXPECT_EQ(defaults->server.port, 13111);
  const auto named = parse_settings(R"({"enabled":true,"port":1,"cache_mb":3,"servers":["https://a:1"],"folder":"/x"})");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->broker.cache_bytes, 3u << 20);
  EXPECT_EQ(named->servers, std::vector<std::string>{"https://a:1"});
  EXPECT_EQ(named->forwarder.folder, "/x/outbox");
  EXPECT_FALSE(parse_settings(R"({"folder":"x"})"));
  EXPECT_FALSE(parse_settings(R"({"certificate":"/a"})"));
  EXPECT_FALSE(parse_settings("[]"));
}

}  // namespace
