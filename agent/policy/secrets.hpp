// Which settings are nobody's to read in a message: messages go into logs, the disk and other people's mail.
#pragma once

#include <string_view>

#include <boost/json/value.hpp>

#include "policy/names.hpp"

namespace picket::policy {

namespace json = boost::json;

// By the member's name, whatever part of the settings it stands in: "password", "api_token", and "options", which are what a source's plugin
// defines (passwords of proxies and of shares among them).
[[nodiscard]] bool is_secret_name(std::string_view member);
[[nodiscard]] bool is_secret(const Path& path);  // the setting, or something above it

// The value with "***" in place of what is secret in it, and without the users and passwords of addresses.
[[nodiscard]] json::value without_secrets(const json::value& value);

}  // namespace picket::policy
