// The vectors are those of "URLs and Hashing" (Safe Browsing v4).
#include <gtest/gtest.h>

#include "ksn/address.hpp"

namespace picket::ksn {
namespace {

using namespace std::string_literals;

struct Vector {
  std::string address, canonical;
};

class CanonicalAddress : public testing::TestWithParam<Vector> {};

TEST_P(CanonicalAddress, is_as_published) {
  const auto once = canonical_address(GetParam().address);
  ASSERT_TRUE(once) << once.error().message;
  EXPECT_EQ(*once, GetParam().canonical);
  EXPECT_EQ(canonical_address(*once).value(), *once);
}

INSTANTIATE_TEST_SUITE_P(
    published, CanonicalAddress,
    testing::Values(
        Vector{"http://host/%25%32%35", "http://host/%25"}, Vector{"http://host/%25%32%35%25%32%35", "http://host/%25%25"}, Vector{"http://host/%2525252525252525", "http://host/%25"},
        Vector{"http://host/asdf%25%32%35asd", "http://host/asdf%25asd"}, Vector{"http://host/%%%25%32%35asd%%", "http://host/%25%25%25asd%25%25"},
        Vector{"http://www.google.com/", "http://www.google.com/"},
        Vector{"http://%31%36%38%2e%31%38%38%2e%39%39%2e%32%36/%2E%73%65%63%75%72%65/%77%77%77%2E%65%62%61%79%2E%63%6F%6D/", "http://168.188.99.26/.secure/www.ebay.com/"},
        Vector{"http://195.127.0.11/uploads/%20%20%20%20/.verify/.eBaysecure=updateuserdataxplimnbqmn-xplmvalidateinfoswqpcmlx=hgplmcx/",
               "http://195.127.0.11/uploads/%20%20%20%20/.verify/.eBaysecure=updateuserdataxplimnbqmn-xplmvalidateinfoswqpcmlx=hgplmcx/"},
        Vector{"http://host%23.com/%257Ea%2521b%2540c%2523d%2524e%25f%255E00%252611%252A22%252833%252944_55%252B", "http://host%23.com/~a!b@c%23d$e%25f^00&11*22(33)44_55+"},
        Vector{"http://3279880203/blah", "http://195.127.0.11/blah"}, Vector{"http://www.google.com/blah/..", "http://www.google.com/"}, Vector{"www.google.com/", "http://www.google.com/"},
        Vector{"www.google.com", "http://www.google.com/"}, Vector{"http://www.evil.com/blah#frag", "http://www.evil.com/blah"}, Vector{"http://www.GOOgle.com/", "http://www.google.com/"},
        Vector{"http://www.google.com.../", "http://www.google.com/"}, Vector{"http://www.google.com/foo\tbar\rbaz\n2", "http://www.google.com/foobarbaz2"},
        Vector{"http://www.google.com/q?", "http://www.google.com/q?"}, Vector{"http://www.google.com/q?r?", "http://www.google.com/q?r?"},
        Vector{"http://www.google.com/q?r?s", "http://www.google.com/q?r?s"}, Vector{"http://evil.com/foo#bar#baz", "http://evil.com/foo"}, Vector{"http://evil.com/foo;", "http://evil.com/foo;"},
        Vector{"http://evil.com/foo?bar;", "http://evil.com/foo?bar;"}, Vector{"http://\x01\x80.com/", "http://%01%80.com/"}, Vector{"http://notrailingslash.com", "http://notrailingslash.com/"},
        Vector{"http://www.gotaport.com:1234/", "http://www.gotaport.com:1234/"}, Vector{"  http://www.google.com/  ", "http://www.google.com/"},
        Vector{"http:// leadingspace.com/", "http://%20leadingspace.com/"}, Vector{"http://%20leadingspace.com/", "http://%20leadingspace.com/"}, Vector{"%20leadingspace.com/", "http://%20leadingspace.com/"},
        Vector{"https://www.securesite.com/", "https://www.securesite.com/"}, Vector{"http://host.com/ab%23cd", "http://host.com/ab%23cd"},
        Vector{"http://host.com//twoslashes?more//slashes", "http://host.com/twoslashes?more//slashes"}));

INSTANTIATE_TEST_SUITE_P(
    further, CanonicalAddress,
    testing::Values(Vector{"HTTP://Host/", "http://host/"}, Vector{"http://...a...b..", "http://a.b/"}, Vector{"http://0x7f.1/", "http://127.0.0.1/"}, Vector{"http://0177.0.0.1", "http://127.0.0.1/"},
                    Vector{"http://1.2.259", "http://1.2.1.3/"}, Vector{"http://1.2.3.999/", "http://1.2.3.999/"}, Vector{"http://1.2.3.4.5/", "http://1.2.3.4.5/"}, Vector{"http://4294967296/", "http://4294967296/"},
                    Vector{"http://09.0.0.1/", "http://09.0.0.1/"}, Vector{"http://a/b/../../../c/./d/", "http://a/c/d/"}, Vector{"http://a/b//../c/.", "http://a/c/"},
                    Vector{"http://a?q=/../x", "http://a/?q=/../x"}, Vector{"http://u:p@a:80/", "http://u:p@a:80/"}, Vector{"http://a:/", "http://a/"},
                    Vector{"http://[2001:DB8:0::1]:8080/x", "http://[2001:db8::1]:8080/x"}, Vector{"a.example/x%00y", "http://a.example/x%00y"}, Vector{"localhost:8080/a", "http://localhost:8080/a"},
                    Vector{"http:/a.example/x", "http://a.example/x"}, Vector{"https:a.example", "https://a.example/"}, Vector{"http:8080/x", "http://http:8080/x"},
                    Vector{"a.example:443", "http://a.example:443/"}, Vector{"a.example:443?q", "http://a.example:443/?q"}, Vector{"ftp://a.example/x", "ftp://a.example/x"}, Vector{"a.example/?u=mailto:b", "http://a.example/?u=mailto:b"}));

// \xC3\xBC: u with two dots, as one character; u\xCC\x88: as two.
INSTANTIATE_TEST_SUITE_P(
    international, CanonicalAddress,
    testing::Values(Vector{"http://m\xC3\xBCnchen.de/", "http://xn--mnchen-3ya.de/"}, Vector{"http://M\xC3\x9CNCHEN.DE", "http://xn--mnchen-3ya.de/"}, Vector{"mu\xCC\x88nchen.de", "http://xn--mnchen-3ya.de/"},
                    Vector{"http://m%C3%BCnchen.de/%C3%BC", "http://xn--mnchen-3ya.de/%C3%BC"}, Vector{"http://XN--MNCHEN-3YA.de/", "http://xn--mnchen-3ya.de/"}, Vector{"http://u:p@m\xC3\xBCnchen.de:8080/", "http://u:p@xn--mnchen-3ya.de:8080/"},
                    Vector{"http://fa\xC3\x9F.de/", "http://xn--fa-hia.de/"}, Vector{"http://\xC3\xBC.my_host.de/", "http://xn--tda.my_host.de/"}, Vector{"http://a..\xC3\xBC./", "http://a.xn--tda/"},
                    Vector{"http://a\xE3\x80\x82\xE3\x80\x82\xC3\xBC\xE3\x80\x82/", "http://a.xn--tda/"} /* ideographic full stops */, Vector{"http://\xEF\xBC\x91.0.0.1/", "http://1.0.0.1/"} /* a full-width digit */));
// What IDNA2008 does not allow, or what would make another host of it, is asked as it came.
INSTANTIATE_TEST_SUITE_P(
    no_international_name, CanonicalAddress,
    testing::Values(Vector{"http://a\xEF\xBC\x8F" "b.\xC3\xBC/", "http://a%EF%BC%8Fb.%C3%BC/"} /* a full-width slash */, Vector{"http://\xEF\xBC\x85" "2f.\xC3\xBC/", "http://%EF%BC%852f.%C3%BC/"},
                    Vector{"http://\xE2\x98\x83.net/", "http://%E2%98%83.net/"}, Vector{"http://\xC3\xBC-.de/", "http://%C3%BC-.de/"}, Vector{"http://\xC3\xBC.xn--zzzzzzzzzzz.de/", "http://%C3%BC.xn--zzzzzzzzzzz.de/"},
                    Vector{"http://\xC2\xAD/", "http://%C2%AD/"} /* a soft hyphen is nothing */, Vector{"http://\xC3\xBC%00.de/", "http://%C3%BC%00.de/"}, Vector{"http://\xC3.de/", "http://%C3.de/"}));

TEST(CanonicalAddressRefused, says_why) {
  for (const auto& [address, why] : {Vector{"", "empty"}, Vector{"   ", "empty"}, Vector{"#only", "empty"}, Vector{"http:///path", "no host"}, Vector{"http://./", "no host"}, Vector{"http://a:b/", "port"},
                                     Vector{"http://a:1234567/", "port"}, Vector{"http://[::1/", "IPv6"}, Vector{"http://[zz]/", "IPv6"}, Vector{"http://[::1%00]/", "IPv6"}, Vector{"mailto:ann@host.example", "the scheme is 'mailto'"},
                                     Vector{"MAILTO%3Aann@host", "'mailto'"}, Vector{"javascript:alert(1)", "'javascript'"}, Vector{"data:text/html,x", "'data'"}, Vector{"tel:112", "'tel'"},
                                     Vector{"file:/etc/passwd", "'file'"}, Vector{"file://server/share", "'file'"}, Vector{"ssh://host.example:22", "'ssh'"}, Vector{"blob:https://a.example/1", "'blob'"},
                                     Vector{"user:word@host.example/", "'user'"}, Vector{"http://a:b:1/", "not a name"},
                                     Vector{"http://a/" + std::string(8184, 'x'), "8 KiB"}}) {
    const auto result = canonical_address(address);
    ASSERT_FALSE(result) << address << " became " << *result;
    EXPECT_EQ(result.error().code, Code::invalid);
    EXPECT_NE(result.error().message.find(why), std::string::npos) << address << ": " << result.error().message;
  }
  EXPECT_TRUE(canonical_address("http://a/" + std::string(8183, 'x')));
}

using Expressions = std::vector<std::string>;

TEST(AddressExpressions, are_as_published) {
  EXPECT_EQ(address_expressions("http://a.b.c/1/2.html?param=1"),
            (Expressions{"a.b.c/1/2.html?param=1", "a.b.c/1/2.html", "a.b.c/1/", "a.b.c/", "b.c/1/2.html?param=1", "b.c/1/2.html", "b.c/1/", "b.c/"}));
  EXPECT_EQ(address_expressions("http://a.b.c.d.e.f.g/1.html"), (Expressions{"a.b.c.d.e.f.g/1.html", "a.b.c.d.e.f.g/", "c.d.e.f.g/1.html", "c.d.e.f.g/", "d.e.f.g/1.html", "d.e.f.g/", "e.f.g/1.html",
                                                                             "e.f.g/", "f.g/1.html", "f.g/"}));
  EXPECT_EQ(address_expressions("http://1.2.3.4/1/"), (Expressions{"1.2.3.4/1/", "1.2.3.4/"}));
}

TEST(AddressExpressions, are_at_most_five_by_six_without_port_and_password) {
  EXPECT_EQ(address_expressions("https://user:word@localhost:8080/"), (Expressions{"localhost/"}));
  EXPECT_EQ(address_expressions("https://[2001:db8::1]:80/?q"), (Expressions{"[2001:db8::1]/?q", "[2001:db8::1]/"}));
  EXPECT_EQ(address_expressions("http://b.c/1/2/3/4/5?q=a/b"), (Expressions{"b.c/1/2/3/4/5?q=a/b", "b.c/1/2/3/4/5", "b.c/1/2/3/", "b.c/1/2/", "b.c/1/", "b.c/"}));
  EXPECT_EQ(address_expressions("http://a.b.c.d.e.f/1/2/3/4/5?q").size(), 30u);
  EXPECT_EQ(address_expressions("http://a.b.c.d.e/").size(), 4u);
  EXPECT_TRUE(address_expressions("no address").empty());
}

}  // namespace
}  // namespace picket::ksn
