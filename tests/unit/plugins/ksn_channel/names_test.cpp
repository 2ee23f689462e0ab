// A name that the system's DNS does not know, found by the configured resolver: a real dnsmasq. ".invalid" never resolves elsewhere.
#include <gmock/gmock.h>

#include "base/files.hpp"
#include "support/dnsmasq.hpp"
#include "support/nginx.hpp"
#include "waiting.hpp"

namespace ksn_channel_test {
namespace {

TEST(KsnChannelNames, asks_the_fallback_resolvers_when_the_system_does_not_know_a_name) {
  auto dnsmasq = picket::support::Dnsmasq::start("ksn.invalid", "127.0.0.1");
  ASSERT_TRUE(dnsmasq) << dnsmasq.error().message;
  auto nginx = picket::support::Nginx::start({.root = "/", .tls = true, .location_lines = "return 200 answer;"});
  ASSERT_TRUE(nginx) << nginx.error().message;
  auto channel = ksn_channel::Channel::start();
  ASSERT_TRUE(channel);
  ksn_channel::Road road{.base_url = "https://a.ksn.invalid:" + std::to_string((*nginx)->port()), .certificate = *picket::read_file((*nginx)->certificate(), 1 << 16)};
  const auto without = post(**channel, road);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, picket::Code::unavailable) << without.error().message;

  road.resolvers = {(*dnsmasq)->resolver()};
  // The certificate is for 127.0.0.1 and localhost: the name was found, the connection made, and the wrong name refused.
  const auto found = post(**channel, road);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, picket::Code::untrusted) << found.error().message;
  EXPECT_THAT((*dnsmasq)->log(), testing::HasSubstr("a.ksn.invalid"));

  road.base_url = "https://unknown.invalid:443";
  const auto unknown = post(**channel, road);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, testing::HasSubstr("fallback resolvers"));
}

}  // namespace
}  // namespace ksn_channel_test
