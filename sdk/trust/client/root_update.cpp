// 5.2 and 5.3: from a root that is trusted to the newest.
#include "trust/client/client_impl.hpp"

namespace picket::trust {
namespace {

Result<Metadata<Root>> self_signed(std::string_view bytes) {
  auto root = Metadata<Root>::parse(bytes);
  if (!root) return fail(std::move(root).error(), "root");
  PICKET_TRY(verify_threshold("root", root->body.root, root->body.keys, root->signed_bytes, root->signatures));
  return root;
}

// 5.3.4, 5.3.5: signed by the old and by the new keys, exactly the next version.
Result<Metadata<Root>> next_root(const Metadata<Root>& trusted, std::string_view bytes) {
  auto next = Metadata<Root>::parse(bytes);
  if (!next) return fail(std::move(next).error(), "root");
  PICKET_TRY(verify_threshold("root (by the keys of its predecessor)", trusted.body.root, trusted.body.keys, next->signed_bytes, next->signatures));
  PICKET_TRY(verify_threshold("root", next->body.root, next->body.keys, next->signed_bytes, next->signatures));
  if (next->version != trusted.version + 1)
    return fail(Code::untrusted, cat("root has version ", std::to_string(next->version), " where ", std::to_string(trusted.version + 1), " was expected"));
  return next;
}

}  // namespace

Result<> ClientImpl::init(std::string_view root_bytes) {
  if (options_.pinned_root) return fail(Code::conflict, "a root is pinned: it cannot be replaced");
  if (root_bytes.size() > options_.limits.root_bytes) return fail(Code::too_large, cat("root is longer than ", std::to_string(options_.limits.root_bytes), " bytes"));
  PICKET_LET(root, self_signed(root_bytes));
  tell_odd_key_ids("root", root.body.keys);
  marks_.forget_root();
  marks_.use_keys_of(root.body);
  marks_.saw_root(root.version);
  ready_ = false;
  PICKET_TRY(store_.keep("root", std::string(root_bytes)));
  return keep();
}

Result<> ClientImpl::load_root() {
  if (options_.pinned_root) return load_pinned_root();
  PICKET_LET(bytes, store_.read("root", options_.limits.root_bytes));
  if (!bytes) return fail(Code::not_found, cat(options_.metadata_dir.native(), " holds no trusted root: init first"));
  auto root = self_signed(*bytes);
  if (!root) return fail(std::move(root).error(), "the stored root cannot be used");
  root_ = std::move(*root);
  return {};
}

// The pinned root came with the program. The stored chain is walked again from it, so that neither damage nor a planted root lasts.
Result<> ClientImpl::load_pinned_root() {
  std::string newest = *options_.pinned_root;
  auto pinned = self_signed(newest);
  if (!pinned) return fail(std::move(pinned).error(), "the pinned root cannot be used");
  root_ = std::move(*pinned);
  for (unsigned steps = 0; steps < options_.limits.root_rotations; ++steps) {
    auto bytes = store_.read_root(root_.version + 1, options_.limits.root_bytes);
    if (bytes && !*bytes) break;
    auto next = bytes ? next_root(root_, **bytes) : Result<Metadata<Root>>(fail(std::move(bytes).error()));
    if (!next) {
      event(cat("stored root ", std::to_string(root_.version + 1), " is damaged and will be fetched again: ", next.error().message));
      break;
    }
    newest = std::move(**bytes);
    root_ = std::move(*next);
  }
  auto stored_root = store_.read("root", options_.limits.root_bytes);
  if (stored_root && *stored_root && **stored_root == newest) return {};
  if (!stored_root) event(cat("the stored root is damaged: ", stored_root.error().message));
  else if (*stored_root) {
    const auto other = self_signed(**stored_root);
    if (!other || other->version >= root_.version) event("the stored root is not the one that the pinned root leads to: replaced");
  }
  return store_.write("root", std::move(newest));
}

Result<> ClientImpl::update_root() {
  for (unsigned steps = 0; steps < options_.limits.root_rotations; ++steps) {
    auto bytes = fetch("root", root_.version + 1, options_.limits.root_bytes);
    if (!bytes && bytes.error().code == Code::not_found) return {};  // 5.3.3: this is the newest
    if (!bytes) return fail(std::move(bytes).error());
    auto next = next_root(root_, *bytes);
    if (!next) return fail(std::move(next).error(), cat("new root ", std::to_string(root_.version + 1)));
    tell_odd_key_ids("root", next->body.keys);
    // Before the root is stored: a power cut between the two costs a download, not the recovery.
    PICKET_TRY(drop_online_roles_if_rotated(next->body));
    if (options_.pinned_root) PICKET_TRY(store_.write_root(next->version, *bytes));
    PICKET_TRY(store_.write("root", std::move(*bytes)));
    root_ = std::move(*next);
  }
  return {};
}

// 5.3.11: versions that a stolen key pushed far up must not bind after the key was replaced.
Result<> ClientImpl::drop_online_roles_if_rotated(const Root& next) {
  const auto rotated = [&](const RoleKeys& before, const RoleKeys& after) {
    return keys_were_removed(identities(before, root_.body.keys), identities(after, next.keys));
  };
  if (!rotated(root_.body.timestamp, next.timestamp) && !rotated(root_.body.snapshot, next.snapshot)) return {};
  PICKET_TRY(store_.remove("timestamp"));
  return store_.remove("snapshot");
}

void ClientImpl::tell_odd_key_ids(std::string_view where, const KeyMap& keys) {
  for (const auto& [keyid, key] : keys) {
    if (const auto computed = key.key_id(); computed != keyid)
      event(cat("a key of ", where, " is called ", keyid.substr(0, 80), " where its content gives ", computed));
    if (!key.can_verify()) event(cat("a key of ", where, " cannot be used: ", key.why_not()));
  }
}

}  // namespace picket::trust
