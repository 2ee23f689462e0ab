#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "isolation/frames.hpp"

namespace picket::isolation {

namespace {

namespace json = boost::json;

json::array list(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

bool read(const json::object& from, std::string_view name, std::string& into) {
  const auto* value = from.if_contains(name);
  if (value == nullptr || !value->is_string()) return false;
  into = std::string_view(value->get_string());
  return true;
}
bool read(const json::object& from, std::string_view name, std::vector<std::string>& into) {
  const auto* value = from.if_contains(name);
  if (value == nullptr || !value->is_array()) return false;
  for (const auto& element : value->get_array()) {
    if (!element.is_string()) return false;
    into.emplace_back(std::string_view(element.get_string()));
  }
  return true;
}
template <class Number>
bool read_number(const json::object& from, std::string_view name, Number& into) {
  const auto* value = from.if_contains(name);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return false;
  into = static_cast<Number>(value->get_int64());
  return true;
}

}  // namespace

std::string Setup::to_json() const {
  const json::object out{{"id", id}, {"extensions", list(extensions)}, {"publishes", list(publishes)}, {"subscribes", list(subscribes)},
                         {"answers", list(answers)}, {"asks", list(asks)}, {"callback_ms", callback_ms}, {"memory_mb", memory_mb},
                         {"storage_dir", storage_dir}, {"storage_bytes", static_cast<std::int64_t>(storage_bytes)}};
  return json::serialize(out);
}

Result<Setup> Setup::parse(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::invalid, "the setup is not a JSON object");
  const auto& object = value.get_object();
  Setup out;
  if (!read(object, "id", out.id) || !read(object, "extensions", out.extensions) || !read(object, "publishes", out.publishes) ||
      !read(object, "subscribes", out.subscribes) || !read(object, "answers", out.answers) || !read(object, "asks", out.asks) ||
      !read_number(object, "callback_ms", out.callback_ms) || !read_number(object, "memory_mb", out.memory_mb) ||
      !read(object, "storage_dir", out.storage_dir) || !read_number(object, "storage_bytes", out.storage_bytes))
    return fail(Code::invalid, "the setup lacks a member, or has one of a wrong type");
  return out;
}

}  // namespace picket::isolation
