// Lists of files, web addresses and software, as others publish them, read into rows for a store. Pure; input is anybody's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "ksn_store/store.hpp"
#include "lists/lists.hpp"

namespace picket::ksn_tool {

struct ListOptions {
  lists::Format format = lists::Format::automatic;
  int kind = 0;                // a v1::ObjectKind; 0: what each line looks like
  ksn_store::Entry entry;      // what a line does not say itself; verdict 0: each line must, or the list's format does
};

struct ListResult {
  std::uint64_t rows = 0, not_understood = 0;
  std::uint64_t other_digests = 0;  // MD5, SHA-1 and others: understood, and no object of KSN
  std::uint64_t files = 0, addresses = 0, software = 0;
  std::string first;           // "line 17: '...': why"
};

// Code::invalid: the list as a whole cannot be read. `put` gets each row with its kind; its error ends the reading.
using Put = std::function<Result<>(int kind, ksn_store::Row row)>;
[[nodiscard]] Result<ListResult> read_list(std::string_view text, const ListOptions& options, const Put& put);
[[nodiscard]] Result<ListResult> read_list_file(const std::string& path, const ListOptions& options, const Put& put);

// What a word names: a file's SHA-256, or a web address (domain, IP address, URL); the error says why nothing.
struct Named {
  int kind;
  std::string digest;
};
[[nodiscard]] Result<Named> name_object(std::string_view word, int kind);

// "trusted", "abusable", "untrusted"; 0: none of them.
[[nodiscard]] int verdict_of(std::string_view name);
[[nodiscard]] std::string_view verdict_name(int verdict);
// "trusted", "low-restricted", "high-restricted", "untrusted"; -1: none of them.
[[nodiscard]] int trust_group_of(std::string_view name);
[[nodiscard]] std::string_view trust_group_name(int group);
// Of a file: "valid", "none", "invalid"; -1: none of them.
[[nodiscard]] int signature_of(std::string_view name);
[[nodiscard]] std::string_view signature_name(int signature);
// "file", "address", "software"; 0: none of them.
[[nodiscard]] int kind_of(std::string_view name);

}  // namespace picket::ksn_tool
