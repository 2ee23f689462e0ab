#include "ksn/arguments.hpp"

#include <algorithm>

#include <boost/json/object.hpp>

#include "base/files.hpp"
#include "ksn/setup.hpp"
#include "trust/json.hpp"

namespace picket::ksn_tool {

Result<Arguments> Arguments::parse(const std::vector<std::string>& text, std::initializer_list<std::string_view> known, std::initializer_list<std::string_view> flags) {
  Arguments out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!text[i].starts_with("--") || text[i].size() == 2) {
      out.words.push_back(text[i]);
      continue;
    }
    if (std::find(flags.begin(), flags.end(), std::string_view(text[i]).substr(2)) != flags.end()) {
      out.options[text[i].substr(2)];
      continue;
    }
    const auto equals = text[i].find('=');
    const auto name = text[i].substr(2, equals == std::string::npos ? equals : equals - 2);
    if (std::find(known.begin(), known.end(), name) == known.end()) return fail(Code::invalid, cat("unknown option --", name));
    if (equals == std::string::npos && i + 1 == text.size()) return fail(Code::invalid, cat("--", name, " needs a value"));
    out.options[name].push_back(equals == std::string::npos ? text[++i] : text[i].substr(equals + 1));
  }
  return out;
}

std::string Arguments::get(std::string_view name, std::string otherwise) const {
  const auto found = options.find(name);
  return found == options.end() ? std::move(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = options.find(name);
  return found == options.end() ? std::vector<std::string>() : found->second;
}

Result<std::string> store_of(const Arguments& arguments) {
  if (arguments.has("store")) return arguments.get("store");
  if (!arguments.has("ksn")) return std::string("/var/lib/picket/ksn/store");
  const auto file = Folder{arguments.get("ksn")}.settings();
  PICKET_LET(text, read_file(file, 1u << 20));
  auto value = trust::parse_strict(text);
  if (!value) return fail(std::move(value).error(), file);
  const auto* object = value->if_object();
  const auto* store = object ? object->if_contains("store") : nullptr;
  if (!store || !store->is_string()) return fail(Code::invalid, cat(file, ": names no store"));
  return std::string(store->get_string());
}

}  // namespace picket::ksn_tool
