#include "plugin_host/plugin_calls.hpp"

#include <algorithm>
#include <exception>

#include "bus/bus.hpp"
#include "plugin_host/immortal.hpp"

namespace picket::plugin_host {

namespace {

picket_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }

picket_message message_of(const Incoming& in) {
  return {sizeof(picket_message), 0, bytes(in.topic), bytes(in.key), bytes(in.content_type), bytes(in.sender), bytes(in.payload), in.timeout_ms, 0};
}

}  // namespace

std::string status_text(picket_status status) {
  if (status <= PICKET_E_INVALID && status >= PICKET_E_INTERNAL) return std::string(to_string(bus::code_of(status)));
  return cat("status ", std::to_string(status));
}

// Nothing of a plugin's may be thrown through the contract; should it happen all the same, it ends here.
template <class Call>
Result<> PluginCalls::guarded(const char* what, Call&& call) {
  tables_->enter_plugin();
  picket_status status = PICKET_OK;
  std::string thrown;
  try {
    status = call();
  } catch (const std::exception& e) {
    status = PICKET_E_INTERNAL;
    thrown = cat("threw an exception through the contract: ", e.what());
  } catch (...) {
    status = PICKET_E_INTERNAL;
    thrown = "threw something through the contract";
  }
  auto why = tables_->leave_plugin();
  if (status == PICKET_OK) return {};
  if (!thrown.empty()) why = std::move(thrown);
  if (why.empty()) why = status > 0 ? cat("answered ", std::to_string(status), ", which is neither success nor a failure") : status_text(status);
  return fail(bus::code_of(status), cat(what, ": ", why));
}

template <class Call>
void PluginCalls::hook(const char* what, Call&& call) {
  if (!is_started_) return;
  tables_->enter_plugin();
  watch_.begin(what);
  bool thrown = false;
  try {
    call();
  } catch (...) {
    thrown = true;
  }
  watch_.end();
  const auto why = tables_->leave_plugin();
  if (!thrown && why.empty()) return;
  const auto text = cat(what, ": ", thrown ? "threw an exception through the contract" : why);
  tables_->host()->log(tables_->host(), PICKET_LOG_ERROR, bytes(text));
}

Result<std::unique_ptr<PluginCalls>> PluginCalls::create(const picket_entry& entry, const std::string& id, std::shared_ptr<HostTables> tables, CallWatch& watch) {
  keep_forever(tables);
  std::unique_ptr<PluginCalls> out(new PluginCalls(std::move(tables), watch));
  picket_plugin* plugin = nullptr;
  PICKET_TRY(out->guarded("create", [&] { return entry.create(out->tables_->host(), id.c_str(), &plugin); }));
  PICKET_TRY(out->adopt(plugin));
  return out;
}

PluginCalls::~PluginCalls() = default;

Result<> PluginCalls::adopt(picket_plugin* plugin) {
  if (plugin == nullptr) return fail(Code::invalid, "create succeeded but made nothing");
  if (plugin->struct_size < sizeof(picket_plugin))
    return fail(Code::invalid, cat("the instance's table has ", std::to_string(plugin->struct_size), " bytes, at least ", std::to_string(sizeof(picket_plugin)), " are needed"));
  if (plugin->start == nullptr || plugin->stop == nullptr || plugin->destroy == nullptr || plugin->get_extension == nullptr)
    return fail(Code::invalid, "the instance's table has no start, stop, destroy or get_extension");
  plugin_ = plugin;
  return guarded("get_extension", [&] {
    bus_ = static_cast<const picket_plugin_bus*>(plugin_->get_extension(plugin_, PICKET_EXT_BUS));
    settings_ = static_cast<const picket_plugin_settings*>(plugin_->get_extension(plugin_, PICKET_EXT_SETTINGS));
    timer_ = static_cast<const picket_plugin_timer*>(plugin_->get_extension(plugin_, PICKET_EXT_TIMER));
    if (settings_ != nullptr && !PICKET_HAS(settings_, apply)) settings_ = nullptr;
    return PICKET_OK;
  });
}

Result<> PluginCalls::start(std::string_view settings_json, std::uint64_t revision) {
  if (plugin_ == nullptr || is_started_) return fail(Code::conflict, "start: not stopped");
  tables_->open();
  auto done = guarded("start", [&] { return plugin_->start(plugin_, bytes(settings_json), revision); });
  is_started_ = done.has_value();
  if (!is_started_) tables_->close();
  return done;
}

Result<> PluginCalls::stop(std::chrono::milliseconds deadline) {
  if (!is_started_) return {};
  const auto limit = static_cast<std::uint32_t>(std::clamp<std::int64_t>(deadline.count(), 1, 86'400'000));
  auto done = guarded("stop", [&] { return plugin_->stop(plugin_, limit); });
  is_started_ = false;
  tables_->close();
  return done;
}

void PluginCalls::destroy() {
  if (plugin_ == nullptr) return;
  auto* plugin = std::exchange(plugin_, nullptr);
  tables_->close();
  if (auto done = guarded("destroy", [&] { plugin->destroy(plugin); return PICKET_OK; }); !done)
    tables_->host()->log(tables_->host(), PICKET_LOG_ERROR, bytes(done.error().message));
}

Result<> PluginCalls::apply(std::string_view settings_json, std::uint64_t revision) {
  if (!is_started_ || settings_ == nullptr) return fail(Code::conflict, "apply: not started, or without picket.settings/1");
  watch_.begin("apply");
  auto done = guarded("apply", [&] { return settings_->apply(plugin_, bytes(settings_json), revision); });
  watch_.end();
  return done;
}

void PluginCalls::on_message(const Incoming& in) {
  if (bus_ == nullptr || !PICKET_HAS(bus_, on_message)) return;
  hook("on_message", [&] {
    const auto message = message_of(in);
    bus_->on_message(plugin_, &message);
  });
}

void PluginCalls::on_request(std::uint64_t request_id, const Incoming& in) {
  if (bus_ == nullptr || !PICKET_HAS(bus_, on_request)) return;
  hook("on_request", [&] {
    const auto message = message_of(in);
    bus_->on_request(plugin_, request_id, &message);
  });
}

void PluginCalls::on_stream(std::uint64_t token, std::string_view chunk) {
  if (bus_ != nullptr && PICKET_HAS(bus_, on_stream)) hook("on_stream", [&] { bus_->on_stream(plugin_, token, bytes(chunk)); });
}

void PluginCalls::on_reply(std::uint64_t token, picket_status status, const Incoming& in) {
  if (bus_ == nullptr || !PICKET_HAS(bus_, on_reply)) return;
  hook("on_reply", [&] {
    const auto message = message_of(in);
    bus_->on_reply(plugin_, token, status, &message);
  });
}

void PluginCalls::on_credit(std::uint64_t request_id, std::uint64_t count) {
  if (bus_ != nullptr && PICKET_HAS(bus_, on_credit)) hook("on_credit", [&] { bus_->on_credit(plugin_, request_id, count); });
}

void PluginCalls::on_cancel(std::uint64_t request_id) {
  if (bus_ != nullptr && PICKET_HAS(bus_, on_cancel)) hook("on_cancel", [&] { bus_->on_cancel(plugin_, request_id); });
}

void PluginCalls::on_loss(std::string_view topic, std::uint64_t count) {
  if (bus_ != nullptr && PICKET_HAS(bus_, on_loss)) hook("on_loss", [&] { bus_->on_loss(plugin_, bytes(topic), count); });
}

void PluginCalls::on_timer(std::uint64_t timer_id) {
  if (timer_ != nullptr && PICKET_HAS(timer_, on_timer)) hook("on_timer", [&] { timer_->on_timer(plugin_, timer_id); });
}

}  // namespace picket::plugin_host
