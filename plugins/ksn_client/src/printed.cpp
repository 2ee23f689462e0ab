#include "printed.hpp"

#include <boost/json.hpp>

#include "base/bytes.hpp"
#include "directives.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_client {
namespace {

namespace json = boost::json;

json::object json_of(const v1::Asker& asker) {
  return {{"licence", asker.licence()}, {"installation", picket::to_hex(asker.installation())}, {"product", asker.product()}, {"version", asker.version()}, {"extended", asker.extended()}};
}

}  // namespace

std::string printed(std::string_view path, std::string_view body) {
  json::object out{{"path", path}, {"bytes", body.size()}};
  const auto size = static_cast<int>(body.size());
  if (path == "/ksn/v1/ask") {
    v1::AskRequest message;
    if (!message.ParseFromArray(body.data(), size)) return {};
    out["asker"] = json_of(message.asker());
    json::array questions;
    for (const auto& group : message.questions()) {
      json::array digests;
      for (std::size_t i = 0; group.length() > 0 && i + group.length() <= group.digests().size(); i += group.length())
        digests.emplace_back(picket::to_hex(std::string_view(group.digests()).substr(i, group.length())));
      questions.push_back(json::object{{"kind", what_of(group.kind())}, {"length", group.length()}, {"digests", std::move(digests)}});
    }
    out["questions"] = std::move(questions);
  } else if (path == "/ksn/v1/statistics") {
    v1::StatisticsRequest message;
    if (!message.ParseFromArray(body.data(), size)) return {};
    out["asker"] = json_of(message.asker());
    out["id"] = picket::to_hex(message.id());
    out["from"] = message.from();
    out["to"] = message.to();
    json::object counters;
    for (const auto& entry : message.counters()) counters[entry.first] = entry.second;
    out["counters"] = std::move(counters);
  } else if (path == "/ksn/v1/content") {
    v1::ContentRequest message;
    if (!message.ParseFromArray(body.data(), size)) return {};
    out["asker"] = json_of(message.asker());
    out["digest"] = picket::to_hex(message.digest());
    out["size"] = message.size();
    out["first"] = message.first();
    out["length"] = message.bytes();
    out["offset"] = message.offset();
    out["part_bytes"] = message.part().size();
  } else {
    v1::HelloRequest message;
    if (!message.ParseFromArray(body.data(), size)) return {};
    out["asker"] = json_of(message.asker());
  }
  return json::serialize(out);
}

}  // namespace ksn_client
