#include "package/manifest.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "trust/json.hpp"

namespace picket::package {

namespace {

namespace json = boost::json;
using std::size_t;

constexpr size_t max_items = 256;

// The members of one object, each read once; what nobody asked for is refused at the end.
// The first error stays; later reads then give defaults.
class Members {
 public:
  Members(const json::object& object, std::string path, std::optional<Error>& error) : object_(object), path_(std::move(path)), error_(error) {}

  bool has(std::string_view name) const { return object_.contains(name); }

  void text(std::string_view name, std::string& into, bool required, size_t most) {
    const auto* value = find(name, required);
    if (value == nullptr) return;
    if (!value->is_string()) return refuse(name, "must be a string");
    const std::string_view got = value->get_string();
    if (got.size() > most) return refuse(name, cat("must be at most ", std::to_string(most), " bytes"));
    if (std::any_of(got.begin(), got.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
      return refuse(name, "must not hold control characters");
    if (required && got.empty()) return refuse(name, "must not be empty");
    into = got;
  }

  template <class Number>
  void number(std::string_view name, Number& into, bool required, std::int64_t least, std::int64_t most) {
    const auto* value = find(name, required);
    if (value == nullptr) return;
    if (!value->is_int64() || value->get_int64() < least || value->get_int64() > most)
      return refuse(name, cat("must be a whole number from ", std::to_string(least), " to ", std::to_string(most)));
    into = static_cast<Number>(value->get_int64());
  }

  template <class Choice>
  void choice(std::string_view name, Choice& into, bool required, std::span<const std::pair<std::string_view, Choice>> choices) {
    const auto* value = find(name, required);
    if (value == nullptr) return;
    std::string names;
    for (const auto& [text, meaning] : choices) {
      if (value->is_string() && value->get_string() == text) {
        into = meaning;
        return;
      }
      names += names.empty() ? cat("\"", text, "\"") : cat(" or \"", text, "\"");
    }
    refuse(name, cat("must be ", names));
  }

  // Calls `item(value, path)` for each element of an array.
  template <class Item>
  void list(std::string_view name, Item&& item) {
    const auto* value = find(name, false);
    if (value == nullptr) return;
    if (!value->is_array()) return refuse(name, "must be an array");
    if (value->get_array().size() > max_items) return refuse(name, cat("must have at most ", std::to_string(max_items), " items"));
    size_t index = 0;
    for (const auto& element : value->get_array()) {
      if (error_) return;
      item(element, cat(path_, name, "[", std::to_string(index++), "]"));
    }
  }

  void texts(std::string_view name, std::vector<std::string>& into, bool (*fits)(std::string_view), std::string_view rule) {
    list(name, [&](const json::value& element, const std::string& path) {
      if (!element.is_string() || !fits(element.get_string())) return refuse_at(path, rule);
      const std::string_view got = element.get_string();
      if (std::find(into.begin(), into.end(), got) != into.end()) return refuse_at(path, "is there twice");
      into.emplace_back(got);
    });
  }

  void flag(std::string_view name, bool& into) {
    if (const auto* value = find(name, false)) {
      if (!value->is_bool()) return refuse(name, "must be true or false");
      into = value->get_bool();
    }
  }

  const json::object* object(std::string_view name, bool required) {
    const auto* value = find(name, required);
    if (value == nullptr) return nullptr;
    if (value->is_object()) return &value->get_object();
    refuse(name, "must be an object");
    return nullptr;
  }

  void done() {
    for (const auto& member : object_)
      if (std::find(read_.begin(), read_.end(), std::string_view(member.key())) == read_.end()) return refuse(member.key(), "is not a known member");
  }

  void refuse(std::string_view name, std::string_view rule) { refuse_at(cat(path_, name), rule); }
  void refuse_at(std::string_view path, std::string_view rule) {
    if (!error_) error_ = Error{Code::invalid, cat(path, " ", rule)};
  }

 private:
  const json::value* find(std::string_view name, bool required) {
    read_.push_back(name);
    if (error_) return nullptr;
    const auto* value = object_.if_contains(name);
    if (value == nullptr && required) refuse(name, "is missing");
    return value;
  }

  const json::object& object_;
  std::string path_;
  std::optional<Error>& error_;
  std::vector<std::string_view> read_;
};

bool is_topic(std::string_view topic) {
  if (topic.empty() || topic.size() > 127 || topic.front() == '.' || topic.back() == '.') return false;
  char before = 0;
  for (const char c : topic) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!word && (c != '.' || before == '.')) return false;
    before = c;
  }
  return true;
}
bool is_subscription(std::string_view filter) { return filter.ends_with(".*") ? is_topic(filter.substr(0, filter.size() - 2)) : is_topic(filter); }
bool is_filter(std::string_view filter) { return filter == "*" || is_subscription(filter); }
bool is_extension(std::string_view id) {
  const auto slash = id.find('/');
  if (slash == std::string_view::npos || id.size() > 127 || !is_topic(id.substr(0, slash))) return false;
  const auto revision = id.substr(slash + 1);
  return !revision.empty() && revision.size() <= 4 && revision[0] != '0' && revision.find_first_not_of("0123456789") == std::string_view::npos;
}
// A misspelt one would be taken for a protection.
bool is_capability(std::string_view text) {
  constexpr std::string_view plain[] = {"exec", "proc.inspect"}, about[] = {"fs.read:", "fs.write:", "net.connect:", "net.listen:"};
  const auto begins = [text](std::string_view name) { return text.size() > name.size() && text.starts_with(name); };
  return text.size() <= 1024 && (std::find(std::begin(plain), std::end(plain), text) != std::end(plain) || std::any_of(std::begin(about), std::end(about), begins)) &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}
bool is_component(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name[0] != '-' && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}
// A plain name in the package's folder.
bool is_library_name(std::string_view name) {
  return name.size() > 3 && name.size() <= 128 && name.ends_with(".so") && name[0] != '.' && name[0] != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string_view::npos;
}
bool is_sha256(std::string_view hex) { return hex.size() == 64 && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

constexpr std::string_view topic_rule = "must be a dotted topic of at most 127 bytes";
constexpr std::string_view filter_rule = "must be a dotted topic of at most 127 bytes, or a prefix that ends in \".*\"";

using Isolations = std::pair<std::string_view, Isolation>;
constexpr Isolations isolations[] = {{"in-process", Isolation::in_process}, {"isolated", Isolation::isolated}};
using Exchanges = std::pair<std::string_view, Exchange>;
constexpr Exchanges exchanges[] = {{"beside", Exchange::beside}, {"in-order", Exchange::in_order}};
using Kinds = std::pair<std::string_view, TopicKind>;
constexpr Kinds kinds[] = {{"state", TopicKind::state}, {"event", TopicKind::event}};

void read_topics(const json::object& object, Manifest& out, std::optional<Error>& error) {
  Members topics(object, "topics.", error);
  topics.list("publishes", [&](const json::value& element, const std::string& path) {
    if (!element.is_object()) return topics.refuse_at(path, "must be an object with topic and kind");
    Members published(element.get_object(), cat(path, "."), error);
    Manifest::Published entry{};
    published.text("topic", entry.topic, true, 127);
    published.choice<TopicKind>("kind", entry.kind, true, kinds);
    published.done();
    if (!error && !is_topic(entry.topic)) return published.refuse("topic", topic_rule);
    for (const auto& other : out.topics.publishes)
      if (other.topic == entry.topic) return published.refuse("topic", "is there twice");
    out.topics.publishes.push_back(std::move(entry));
  });
  topics.texts("subscribes", out.topics.subscribes, is_subscription, filter_rule);  // not "*": nobody's task is to hear what all others say
  topics.texts("answers", out.topics.answers, is_topic, topic_rule);
  topics.texts("asks", out.topics.asks, is_filter, filter_rule);
  topics.done();
}

void read_limits(const json::object& object, Manifest& out, std::optional<Error>& error) {
  Members limits(object, "limits.", error);
  limits.number("memory_mb", out.limits.memory_mb, false, 16, 1 << 20);
  limits.number("callback_ms", out.limits.callback_ms, false, 10, 600'000);
  limits.number("queue_messages", out.limits.queue_messages, false, 1, 1 << 20);
  limits.number("queue_bytes", out.limits.queue_bytes, false, 131072, 1 << 28);  // at least one message of the largest size
  limits.number("storage_mb", out.limits.storage_mb, false, 0, 1 << 16);
  limits.done();
}

void read_demands(Members& top, Manifest& out, std::optional<Error>& error) {
  static constexpr std::pair<std::string_view, std::string_view> classes[] = {
      {"databases", "databases"}, {"agent", "agent"}, {"application", "application"}};
  top.list("demands", [&](const json::value& element, const std::string& path) {
    if (!element.is_object()) return top.refuse_at(path, "must be an object with component and class");
    Members demand(element.get_object(), cat(path, "."), error);
    Manifest::Demanded entry;
    std::string_view component_class;
    demand.text("component", entry.component, true, 100);
    demand.choice<std::string_view>("class", component_class, true, classes);
    demand.flag("optional", entry.optional);
    demand.done();
    if (!error && !is_component(entry.component)) return demand.refuse("component", "must be lower-case letters, digits and '-'");
    entry.component_class = component_class;
    out.demands.push_back(std::move(entry));
  });
}

void read_manifest(const json::object& object, bool packed, Manifest& out, std::optional<Error>& error) {
  Members top(object, "", error);
  int format = 1;
  top.number("manifest", format, true, 1, 1);
  top.text("id", out.id, true, 100);
  if (!error && !is_plugin_id(out.id)) top.refuse("id", "must be a reverse domain name of lower-case letters, digits and '-', as in com.vendor.thing");
  if (!error && (out.id.starts_with("picket.") || out.id.starts_with("picketctl."))) top.refuse("id", "must not begin as the names of picketd's own parts on the bus do");
  top.text("name", out.name, false, 200);
  top.text("version", out.version, true, 64);
  if (!error && !is_version(out.version)) top.refuse("version", "must be MAJOR.MINOR.PATCH, as in 1.2.3 or 1.2.3-beta.1");
  top.text("vendor", out.vendor, false, 200);
  top.text("description", out.description, false, 4000);
  top.text("file", out.file, true, 128);
  if (!error && !is_library_name(out.file)) top.refuse("file", "must be a plain file name that ends in .so");
  top.text("sha256", out.sha256, packed, 64);
  if (!error && (packed || !out.sha256.empty()) && !is_sha256(out.sha256)) top.refuse("sha256", "must be 64 lower-case hex digits");
  if (const auto* abi = top.object("abi", true)) {
    Members members(*abi, "abi.", error);
    members.number("major", out.abi_major, true, 1, 65535);
    members.number("minor_needed", out.abi_minor_needed, false, 0, 65535);
    members.done();
  }
  if (const auto* isolation = top.object("isolation", false)) {
    Members members(*isolation, "isolation.", error);
    members.choice<Isolation>("preferred", out.preferred, false, isolations);
    members.choice<Isolation>("minimum", out.minimum, false, isolations);
    members.done();
  }
  top.choice<Exchange>("exchange", out.exchange, false, exchanges);
  top.texts("requires_extensions", out.requires_extensions, is_extension, "must be an extension's id, as in picket.bus/1");
  if (const auto* topics = top.object("topics", false)) read_topics(*topics, out, error);
  top.texts("capabilities", out.capabilities, is_capability, "must be exec, proc.inspect, or fs.read:, fs.write:, net.connect: or net.listen: with what follows, as in fs.read:/path");
  if (const auto* limits = top.object("limits", false)) read_limits(*limits, out, error);
  read_demands(top, out, error);
  if (const auto* schema = top.object("settings_schema", false)) {
    out.settings_schema = json::serialize(*schema);
    const auto* type = schema->if_contains("type");
    if (type != nullptr && !(type->is_string() && type->get_string() == "object")) top.refuse("settings_schema.type", "must be \"object\"");
  } else {
    out.settings_schema = R"({"type":"object","additionalProperties":false})";
  }
  top.text("minimum_agent", out.minimum_agent, false, 64);
  if (!error && !out.minimum_agent.empty() && !is_version(out.minimum_agent)) top.refuse("minimum_agent", "must be MAJOR.MINOR.PATCH");
  top.done();
}

}  // namespace

Result<Manifest> Manifest::parse(std::string_view text, bool packed) {
  if (text.size() > kMaxManifestBytes)
    return fail(Code::too_large, cat("holds ", std::to_string(text.size()), " bytes, more than the limit of ", std::to_string(kMaxManifestBytes)));
  PICKET_LET(value, trust::parse_strict(text, {}, trust::Numbers::any));  // settings_schema may hold fractions
  if (!value.is_object()) return fail(Code::invalid, "must be a JSON object");
  Manifest out;
  std::optional<Error> error;
  read_manifest(value.get_object(), packed, out, error);
  if (error) return fail(std::move(*error));
  PICKET_TRY(out.check_topics(Standing::own));  // no plugin is more
  return out;
}

Result<> Manifest::check_topics(Standing standing) const {
  const auto check = [standing](Deed deed, std::string_view list, std::string_view topic) -> Result<> {
    if (auto checked = check_may(standing, deed, topic); !checked) return fail(std::move(checked).error(), cat("topics.", list));
    return {};
  };
  for (const auto& published : topics.publishes) PICKET_TRY(check(Deed::publish, "publishes", published.topic));
  for (const auto& topic : topics.answers) PICKET_TRY(check(Deed::answer, "answers", topic));
  for (const auto& filter : topics.asks) PICKET_TRY(check(Deed::ask, "asks", filter));
  return {};
}

}  // namespace picket::package
