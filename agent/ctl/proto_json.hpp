// Any message as JSON with the names of the .proto files: numbers as numbers, every field present, bytes as base64,
// *_json fields as what they hold. JSON.md documents it.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <google/protobuf/message.h>

#include "base/result.hpp"

namespace picket::ctl {

namespace json = boost::json;

[[nodiscard]] json::object to_json(const google::protobuf::Message& message);

// The payload of a bus message, by the type that its content type names. Code::not_found: type not known here.
[[nodiscard]] Result<json::object> payload_to_json(std::string_view content_type, std::string_view payload);

}  // namespace picket::ctl
