#include "base/topic_owners.hpp"

#include <algorithm>
#include <iterator>

namespace picket {
namespace {

struct Row {
  std::string_view topics;  // one, or a prefix that ends in ".*"
  Standing publish, answer, ask;
};

constexpr auto anybody = Standing::stranger, own = Standing::own, host = Standing::host;

// The first that fits counts.
constexpr Row rows[] = {
    //                                publish  answer   ask
    {"picket.component.activate",     host,    anybody, host},  // "load what lies there": believed, so it must be the update engine that asks
    {"picket.task.type.*",            host,    anybody, host},
    {"picket.source.appeared",        anybody, host,    host},
    {"picket.source.*",               host,    anybody, own},   // a source fetches with its own access to the network
    {"picket.device.concern",         anybody, host,    host},  // kept apart by sender
    {"picket.update.variant",         own,     host,    host},
    {"picket.update.rollback",        host,    host,    own},
    {"picket.update.verdict",         host,    host,    own},
    {"picket.update.export",          host,    host,    own},
    {"picket.update.sources",         host,    host,    own},   // options of sources may hold passwords
    {"picket.update.source_outcome",  host,    host,    own},
    {"picket.task.*",                 host,    host,    own},
    {"picket.policy.*",               host,    host,    own},
    {"picket.plugin.restart",         host,    host,    own},
    {"picket.bus.*",                  host,    host,    own},   // hears everything
    {"picket.ksn.decide",             own,     own,     own},   // a person's consent
    {"picket.ksn.switch",             own,     own,     own},
    {"picket.ksn.sent",               own,     own,     own},
    {"picket.ksn.*",                  own,     own,     anybody},
    {"picket.scan.*",                 own,     own,     anybody},
    {"picket.distribution_point.*",   own,     own,     anybody},
    {"picket.*",                      host,    host,    anybody},
};

bool fits(std::string_view topics, std::string_view topic) {
  return topics.ends_with(".*") ? topic.starts_with(topics.substr(0, topics.size() - 1)) : topic == topics;
}

Standing needed(Deed deed, std::string_view topic) {
  const auto row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& one) { return fits(one.topics, topic); });
  if (row == std::end(rows)) return anybody;
  switch (deed) {
    case Deed::publish: return row->publish;
    case Deed::answer: return row->answer;
    case Deed::ask: return row->ask;
  }
  return host;
}

std::string_view to_string(Deed deed) {
  switch (deed) {
    case Deed::publish: return "publish";
    case Deed::answer: return "answer";
    case Deed::ask: return "ask";
  }
  return "use";
}

}  // namespace

bool is_own_plugin(std::string_view id) { return id.starts_with("org.picket."); }

bool may(Standing standing, Deed deed, std::string_view topic) {
  return standing == host || !topic.starts_with("picket.") || standing >= needed(deed, topic);
}

Result<> check_may(Standing standing, Deed deed, std::string_view topic) {
  if (may(standing, deed, topic)) return {};
  if (needed(deed, topic) == host) return fail(Code::denied, cat(topic, ": only picketd itself may ", to_string(deed), " it"));
  return fail(Code::denied, cat(topic, ": of plugins only Picket's own (org.picket.*) may ", to_string(deed), " it, and those that the administrator names as stand-in"));
}

}  // namespace picket
