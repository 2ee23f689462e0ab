#include "trust/release.hpp"

#include <algorithm>
#include <charconv>

#include <boost/json/value.hpp>

#include "base/bytes.hpp"

namespace picket::trust {

namespace {

// Typed reading of one JSON object; the first thing that is wrong is kept and named.
class Reader {
 public:
  Reader(const json::object& object, std::string where) : object_(object), where_(std::move(where)) {}

  std::string text(std::string_view name) {
    const auto* value = find(name);
    if (!value) return {};
    if (const auto* found = value->if_string()) return std::string(*found);
    wrong(name, "must be a string");
    return {};
  }

  std::int64_t integer(std::string_view name, std::int64_t minimum) {
    const auto* value = find(name);
    if (!value) return minimum;
    if (const auto* found = value->if_int64(); found && *found >= minimum) return *found;
    wrong(name, cat("must be an integer of at least ", std::to_string(minimum)));
    return minimum;
  }

  const json::object* object(std::string_view name) {
    const auto* value = find(name);
    if (!value) return nullptr;
    if (const auto* found = value->if_object()) return found;
    wrong(name, "must be an object");
    return nullptr;
  }

  [[nodiscard]] Result<> result() const { return why_.empty() ? Result<>{} : fail(Code::invalid, why_); }

 private:
  const json::value* find(std::string_view name) {
    const auto* value = object_.if_contains(name);
    if (!value) wrong(name, "is missing");
    return value;
  }
  void wrong(std::string_view name, std::string_view what) {
    if (why_.empty()) why_ = cat(where_, name, " ", what);
  }

  const json::object& object_;
  std::string where_;
  std::string why_;
};

bool is_version(std::string_view text) {
  int parts = 0;
  for (;; ++parts) {
    const auto digits = std::min(text.find('.'), text.size());
    const auto part = text.substr(0, digits);
    if (part.empty() || part.size() > 6 || !std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
    if (digits == text.size()) return parts == 2;
    text.remove_prefix(digits + 1);
  }
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> allowed) {
  return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

tl::unexpected<Error> wrong(std::string_view member, std::string_view what) { return fail(Code::invalid, cat("custom.picket.", member, " ", what)); }

}  // namespace

Result<> check_component_name(std::string_view name) {
  if (name.empty()) return fail(Code::invalid, "a component's name is empty");
  if (name.size() > 64) return fail(Code::invalid, cat("component name \"", name, "\" is longer than 64 characters"));
  const bool good = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (!good || name.front() == '-') return fail(Code::invalid, cat("component name \"", name, "\" may hold a-z, 0-9 and - only, and not begin with -"));
  if (is_one_of(name, {"root", "timestamp", "snapshot", "targets"}))
    return fail(Code::invalid, cat("component name \"", name, "\" is the name of a top-level role"));
  return {};
}

Result<> check_release(const Release& release) {
  PICKET_TRY(check_component_name(release.component));
  if (!is_one_of(release.cls, {"databases", "agent", "application"})) return wrong("class", "must be databases, agent or application");
  if (!is_one_of(release.variant, {"full", "light"})) return wrong("variant", "must be full or light");
  if (release.release < 1) return wrong("release", "must be at least 1");
  if (release.version.empty() || release.version.size() > 64 || !is_plain(release.version))
    return wrong("version", "must be 1 to 64 bytes without control characters");
  if (!is_digest(release.content_sha256))
    return wrong("content.sha256", "must be 64 lower-case hex digits");
  if (!is_version(release.minimum_agent)) return wrong("minimum_agent", "must be like 1.2.3");
  if (release.format == "file") {
    if (release.name.empty() || release.name == "." || release.name == ".." || release.name.size() > 255 || !is_plain(release.name) ||
        release.name.find_first_of("/\\") != release.name.npos || !is_valid_utf8(release.name))
      return wrong("name", "must be a plain file name");
    if (release.files != 1 || release.unpacked != release.content_length || release.content_length != release.length)
      return wrong("content.length", "must be the target's own length for format \"file\"");
  }
  return {};
}

std::string release_path(const Release& release) {
  return cat(release.component, "/", release.variant, "/", std::to_string(release.release), release.format == "file" ? ".bin" : ".tar.zst");
}

std::string component_pattern(std::string_view component) { return cat(component, "/*/*"); }

Result<Release> parse_release(const Target& target) {
  const auto what = cat("target ", target.path);
  const auto* member = target.file.custom.if_contains("picket");
  if (!member) return fail(Code::not_found, cat(what, ": is not a release (no custom.picket)"));
  if (!member->is_object()) return fail(Code::invalid, cat(what, ": custom.picket must be an object"));
  Reader reader(member->get_object(), cat(what, ": custom.picket."));

  Release out;
  out.kind = reader.text("kind");
  PICKET_TRY(reader.result());
  if (out.kind != "full") return fail(Code::unsupported, cat(what, ": kind \"", out.kind, "\" is not known to this version"));
  out.format = reader.text("format");
  PICKET_TRY(reader.result());
  if (!is_one_of(out.format, {"tar.zst", "file"})) return fail(Code::unsupported, cat(what, ": format \"", out.format, "\" is not known to this version"));
  out.component = reader.text("component");
  out.cls = reader.text("class");
  out.variant = reader.text("variant");
  out.release = reader.integer("release", 1);
  out.version = reader.text("version");
  const auto published = reader.text("published");
  out.files = static_cast<std::uint64_t>(reader.integer("files", 0));
  out.unpacked = static_cast<std::uint64_t>(reader.integer("unpacked", 0));
  out.minimum_agent = reader.text("minimum_agent");
  if (out.format == "file") out.name = reader.text("name");
  const auto* content = reader.object("content");
  PICKET_TRY(reader.result());
  Reader content_reader(*content, cat(what, ": custom.picket.content."));
  out.content_length = static_cast<std::uint64_t>(content_reader.integer("length", 0));
  out.content_sha256 = content_reader.text("sha256");
  PICKET_TRY(content_reader.result());
  auto time = parse_time(published);
  if (!time) return fail(std::move(time).error(), cat(what, ": custom.picket.published"));
  out.published = *time;

  out.path = target.path;
  out.length = target.file.length;
  out.hashes = target.file.hashes;
  if (auto good = check_release(out); !good) return fail(std::move(good).error(), what);
  // The role that signed must be the component's own, and the path must say the same as the custom part: a key for one component
  // can never speak for another.
  if (target.role != out.component) return fail(Code::invalid, cat(what, ": component ", out.component, " is signed by role ", target.role));
  if (out.path != release_path(out)) return fail(Code::invalid, cat(what, ": should be at ", release_path(out)));
  return out;
}

std::string delta_path(const Delta& delta) {
  return cat(delta.component, "/", delta.variant, "/", std::to_string(delta.release), ".from-", std::to_string(delta.base), ".delta");
}

Result<Delta> parse_delta(const Target& target) {
  const auto what = cat("target ", target.path);
  const auto* member = target.file.custom.if_contains("picket");
  const auto* object = member ? member->if_object() : nullptr;
  const auto* kind = object ? object->if_contains("kind") : nullptr;
  if (!kind || *kind != json::value("delta")) return fail(Code::not_found, cat(what, ": is not a delta"));
  Reader reader(*object, cat(what, ": custom.picket."));
  Delta out;
  out.base = reader.integer("base", 1);
  out.base_sha256 = reader.text("base_sha256");
  out.method = reader.text("method");
  PICKET_TRY(reader.result());
  if (!is_digest(out.base_sha256)) return fail(Code::invalid, cat(what, ": custom.picket.base_sha256 must be 64 lower-case hex digits"));
  if (out.method.empty() || out.method.size() > 32 || !is_plain(out.method)) return fail(Code::invalid, cat(what, ": custom.picket.method must be 1 to 32 plain bytes"));
  // All else is in the path, which is signed too: metadata are paid for with every step.
  const std::string_view path = target.path;
  const auto first = std::min(path.find('/'), path.size()), second = std::min(path.find('/', std::min(first + 1, path.size())), path.size());
  out.component = path.substr(0, first);
  out.variant = path.substr(std::min(first + 1, path.size()), second - std::min(first + 1, second));
  const auto number = path.substr(std::min(second + 1, path.size()));
  std::from_chars(number.data(), number.data() + number.size(), out.release);
  if (target.role != out.component) return fail(Code::invalid, cat(what, ": component ", out.component, " is signed by role ", target.role));
  if (!is_one_of(out.variant, {"full", "light"}) || out.release <= out.base || out.path.assign(delta_path(out)) != path)
    return fail(Code::invalid, cat(what, ": its path does not say from which release to which higher one of which variant"));
  out.length = target.file.length;
  out.hashes = target.file.hashes;
  return out;
}

json::object delta_custom(const Delta& delta) {
  return {{"picket", json::object{{"kind", "delta"}, {"method", delta.method}, {"base", delta.base}, {"base_sha256", delta.base_sha256}}}};
}

json::object release_custom(const Release& release) {
  const auto integer = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  json::object picket{{"component", release.component},
                      {"class", release.cls},
                      {"variant", release.variant},
                      {"release", release.release},
                      {"version", release.version},
                      {"published", format_time(release.published)},
                      {"kind", release.kind},
                      {"format", release.format},
                      {"content", json::object{{"length", integer(release.content_length)}, {"sha256", release.content_sha256}}},
                      {"files", integer(release.files)},
                      {"unpacked", integer(release.unpacked)},
                      {"minimum_agent", release.minimum_agent}};
  if (release.format == "file") picket["name"] = release.name;
  return {{"picket", std::move(picket)}};
}

}  // namespace picket::trust
