#include "policy/store.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/files.hpp"
#include "trust/json.hpp"

namespace picket::policy {
namespace {

namespace json = boost::json;

constexpr std::uint64_t max_envelope = 8u << 20, max_state = 64u << 10;

}  // namespace

Result<> Store::prepare() {
  remove_leftovers(folder_);
  return make_folders(folder_, 0700);
}

Result<std::string> Store::in_force() const { return read_file(policy_file(), max_envelope); }

Result<State> Store::state() const {
  auto text = read_file(state_file(), max_state);
  if (!text) {
    if (text.error().code == Code::not_found) return State{};
    return fail(std::move(text).error());
  }
  const auto damaged = [&] { return fail(Code::invalid, cat(state_file().string(), ": damaged")); };
  auto parsed = trust::parse_strict(*text);
  if (!parsed || !parsed->is_object()) return damaged();
  const auto& object = parsed->get_object();
  State out;
  const auto number = [&](std::string_view name, auto& into) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return false;
    into = static_cast<std::remove_reference_t<decltype(into)>>(value->get_int64());
    return true;
  };
  const auto* refusal = object.if_contains("refusal");
  if (!number("highest_revision", out.highest_revision) || !number("generation", out.generation) || !number("applied", out.applied) ||
      !number("refused", out.refused) || refusal == nullptr || !refusal->is_string())
    return damaged();
  out.refusal = refusal->get_string();
  return out;
}

Result<> Store::save(const State& state) const {
  const json::object object{{"highest_revision", static_cast<std::int64_t>(state.highest_revision)},
                            {"generation", static_cast<std::int64_t>(state.generation)},
                            {"applied", state.applied},
                            {"refused", state.refused},
                            {"refusal", state.refusal}};
  return write_file_atomic(state_file(), json::serialize(object), 0600);
}

bool Store::has_candidate() const {
  std::error_code ignored;
  return std::filesystem::exists(candidate_file(), ignored);
}

Result<> Store::put_candidate(std::string_view envelope) const { return write_file_atomic(candidate_file(), envelope, 0600); }

Result<> Store::promote_candidate() const {
  if (std::rename(candidate_file().c_str(), policy_file().c_str()) != 0) return fail_errno(cat("put in force ", policy_file().string()));
  return sync_folder(folder_);
}

Result<> Store::drop_candidate() const { return remove_file(candidate_file()); }

}  // namespace picket::policy
