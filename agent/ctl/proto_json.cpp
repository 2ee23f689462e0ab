#include "ctl/proto_json.hpp"

#include <map>
#include <memory>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <google/protobuf/descriptor.h>

#include "base/bytes.hpp"
#include "picket/component/v1/component.pb.h"
#include "picket/host/v1/config.pb.h"
#include "picket/host/v1/host.pb.h"
#include "picket/host/v1/watch.pb.h"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/control.pb.h"
#include "picket/ksn/v1/state.pb.h"
#include "picket/policy/v1/policy.pb.h"
#include "picket/scan/v1/scan.pb.h"
#include "picket/source/v1/source.pb.h"
#include "picket/task/v1/control.pb.h"
#include "picket/update/v1/report.pb.h"
#include "picket/update/v1/sources.pb.h"

namespace picket::ctl {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

json::value text_value(const Field& field, const std::string& text) {
  if (field.type() == Field::TYPE_BYTES) return json::value(to_base64(text));
  if (field.name().ends_with("_json") && !text.empty()) {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 64;
    auto parsed = json::parse(text, error, {}, options);
    if (!error) return parsed;
  }
  return json::value(text);
}

json::value one(const pb::Message& message, const Field& field) {
  const auto& reflect = *message.GetReflection();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32: return reflect.GetInt32(message, &field);
    case Field::CPPTYPE_INT64: return reflect.GetInt64(message, &field);
    case Field::CPPTYPE_UINT32: return reflect.GetUInt32(message, &field);
    case Field::CPPTYPE_UINT64: return reflect.GetUInt64(message, &field);
    case Field::CPPTYPE_DOUBLE: return reflect.GetDouble(message, &field);
    case Field::CPPTYPE_FLOAT: return reflect.GetFloat(message, &field);
    case Field::CPPTYPE_BOOL: return reflect.GetBool(message, &field);
    case Field::CPPTYPE_ENUM: return json::value(reflect.GetEnum(message, &field)->name());
    case Field::CPPTYPE_STRING: return text_value(field, reflect.GetString(message, &field));
    case Field::CPPTYPE_MESSAGE: return to_json(reflect.GetMessage(message, &field));
  }
  return nullptr;
}

json::value element(const pb::Message& message, const Field& field, int index) {
  const auto& reflect = *message.GetReflection();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32: return reflect.GetRepeatedInt32(message, &field, index);
    case Field::CPPTYPE_INT64: return reflect.GetRepeatedInt64(message, &field, index);
    case Field::CPPTYPE_UINT32: return reflect.GetRepeatedUInt32(message, &field, index);
    case Field::CPPTYPE_UINT64: return reflect.GetRepeatedUInt64(message, &field, index);
    case Field::CPPTYPE_DOUBLE: return reflect.GetRepeatedDouble(message, &field, index);
    case Field::CPPTYPE_FLOAT: return reflect.GetRepeatedFloat(message, &field, index);
    case Field::CPPTYPE_BOOL: return reflect.GetRepeatedBool(message, &field, index);
    case Field::CPPTYPE_ENUM: return json::value(reflect.GetRepeatedEnum(message, &field, index)->name());
    case Field::CPPTYPE_STRING: return text_value(field, reflect.GetRepeatedString(message, &field, index));
    case Field::CPPTYPE_MESSAGE: return to_json(reflect.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

// Naming the types makes the linker keep their files, which register them.
const pb::Message* prototype(std::string_view type) {
  static const pb::FileDescriptor* const files[] = {
      component::v1::ActiveSet::descriptor()->file(), host::v1::ConfigValue::descriptor()->file(), host::v1::PluginStatus::descriptor()->file(),
      host::v1::WatchEvent::descriptor()->file(), ksn::v1::KsnState::descriptor()->file(), ksn::v1::Facts::descriptor()->file(), ksn::v1::CheckReply::descriptor()->file(), ksn::v1::StatusReply::descriptor()->file(), policy::v1::Layer::descriptor()->file(),
      scan::v1::Finding::descriptor()->file(), task::v1::Run::descriptor()->file(), task::v1::Task::descriptor()->file(), source::v1::Source::descriptor()->file(), update::v1::Progress::descriptor()->file(),
      update::v1::StatusReply::descriptor()->file()};
  for (const auto* file : files) {
    const std::string& package = file->package();
    if (!type.starts_with(package) || type.size() <= package.size() || type[package.size()] != '.') continue;
    if (const auto* found = file->FindMessageTypeByName(std::string(type.substr(package.size() + 1))))
      return pb::MessageFactory::generated_factory()->GetPrototype(found);
  }
  return nullptr;
}

}  // namespace

json::object to_json(const pb::Message& message) {
  json::object out;
  const auto* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto& field = *type->field(i);
    const bool absent_message = field.cpp_type() == Field::CPPTYPE_MESSAGE && !field.is_repeated() && !message.GetReflection()->HasField(message, &field);
    if (field.is_map()) {
      // Texts to numbers, as people write them: {"name": 1}, in order.
      std::map<std::string, json::value> entries;
      for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) {
        auto entry = to_json(message.GetReflection()->GetRepeatedMessage(message, &field, k));
        entries[entry["key"].is_string() ? std::string(entry["key"].get_string()) : json::serialize(entry["key"])] = std::move(entry["value"]);
      }
      out[field.name()] = json::object(entries.begin(), entries.end());
    } else if (field.is_repeated()) {
      json::array elements;
      for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) elements.push_back(element(message, field, k));
      out[field.name()] = std::move(elements);
    } else if (!absent_message) {
      out[field.name()] = one(message, field);
    } else if (field.real_containing_oneof() == nullptr) {
      out[field.name()] = nullptr;
    }
  }
  return out;
}

Result<json::object> payload_to_json(std::string_view content_type, std::string_view payload) {
  constexpr std::string_view before = "messageType=";
  const auto at = content_type.find(before);
  if (at == content_type.npos) return fail(Code::not_found, "the content type names no message type");
  const auto name = content_type.substr(at + before.size());
  const auto* type = prototype(name);
  if (type == nullptr) return fail(Code::not_found, cat("message type '", name.substr(0, 128), "' is not known here"));
  const std::unique_ptr<pb::Message> message(type->New());
  if (!message->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return fail(Code::invalid, cat("not a ", name.substr(0, 128)));
  return to_json(*message);
}

}  // namespace picket::ctl
