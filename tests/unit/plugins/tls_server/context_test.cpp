#include "tls_server/context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "base/files.hpp"
#include "support/server_process.hpp"
#include "support/tls_certificate.hpp"

namespace {

using picket::support::ServerFolder;
using testing::HasSubstr;
using testing::StartsWith;

TEST(TlsServerContext, names_the_file_that_is_wrong) {
  const ServerFolder folder;
  const auto certificate = folder / "a.pem", key = folder / "a.key", none = folder / "none", nonsense = folder / "nonsense";
  ASSERT_TRUE(picket::support::make_certificate(certificate, key));
  ASSERT_TRUE(picket::support::make_certificate(folder / "b.pem", folder / "b.key"));
  ASSERT_TRUE(picket::write_file_atomic(nonsense, "no PEM"));
  EXPECT_TRUE(tls_server::make_context(certificate, key));
  EXPECT_THAT(tls_server::make_context(none, key).error().message, testing::AllOf(StartsWith("TLS certificate: "), HasSubstr(none.native())));
  EXPECT_THAT(tls_server::make_context(certificate, none).error().message, testing::AllOf(StartsWith("TLS key: "), HasSubstr(none.native())));
  EXPECT_THAT(tls_server::make_context(nonsense, key).error().message, StartsWith("TLS certificate: " + nonsense.native() + " is no certificate in PEM"));
  EXPECT_THAT(tls_server::make_context(certificate, nonsense).error().message, StartsWith("TLS key: " + nonsense.native() + " is no private key in PEM"));
  EXPECT_EQ(tls_server::make_context(certificate, folder / "b.key").error().message, "TLS key: " + (folder / "b.key").native() + " does not belong to " + certificate.native());
  EXPECT_EQ(::ERR_peek_error(), 0u) << "a connection on this thread would take it for its own";
}

}  // namespace
