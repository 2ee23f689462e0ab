#include "tls_server/own_certificate.hpp"

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/leftovers.hpp"
#include "support/server_process.hpp"

namespace {

TEST(OwnCertificate, is_made_once_and_kept) {
  const picket::support::ServerFolder folder;
  const auto first = tls_server::own_certificate(folder / "tls", {"proxy.example", "127.0.0.1"});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->is_new);
  EXPECT_EQ(first->digest.size(), 64u);
  EXPECT_TRUE(first->not_for.empty());
  const auto again = tls_server::own_certificate(folder / "tls", {"PROXY.example"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->digest, first->digest);
  EXPECT_TRUE(again->not_for.empty());
  const auto renamed = tls_server::own_certificate(folder / "tls", {"127.0.0.1", "other.example", "::1"});
  ASSERT_TRUE(renamed) << renamed.error().message;
  EXPECT_EQ(renamed->digest, first->digest) << "clients trust this very one";
  EXPECT_EQ(renamed->not_for, (std::vector<std::string>{"other.example", "::1"}));
  EXPECT_EQ(std::filesystem::status(first->key).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(OwnCertificate, is_made_anew_when_key_and_certificate_do_not_fit) {
  const picket::support::ServerFolder folder;
  const auto first = tls_server::own_certificate(folder.path(), {"localhost"});
  ASSERT_TRUE(first);
  ASSERT_TRUE(picket::write_file_atomic(first->key, "no key"));
  picket::support::leave_cut_off_write(first->key);  // nor may half a key of a former attempt stay
  const auto again = tls_server::own_certificate(folder.path(), {"localhost"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->is_new);
  EXPECT_NE(again->digest, first->digest);
  EXPECT_EQ(picket::support::leftovers_below(folder.path()), "");
}

TEST(OwnCertificate, takes_no_name_that_is_none) {
  const picket::support::ServerFolder folder;
  EXPECT_FALSE(tls_server::own_certificate(folder.path(), {"a,DNS:evil.example", ""}));
  EXPECT_FALSE(tls_server::own_certificate(folder.path(), {"good.example", "a b"})) << "it would not be for what was asked";
  const auto names = tls_server::own_names();
  EXPECT_NE(std::find(names.begin(), names.end(), "localhost"), names.end());
}

}  // namespace
