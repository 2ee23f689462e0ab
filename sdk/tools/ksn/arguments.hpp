// picket-ksn's command line: words, and --name value pairs that may be given again.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::ksn_tool {

struct Arguments {
  std::vector<std::string> words;
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  // known: names of options with a value; flags: without one. An unknown one is Code::invalid.
  [[nodiscard]] static Result<Arguments> parse(const std::vector<std::string>& text, std::initializer_list<std::string_view> known, std::initializer_list<std::string_view> flags = {});
  [[nodiscard]] std::string get(std::string_view name, std::string otherwise = {}) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return options.contains(name); }
};

using Command = Result<> (*)(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_init(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_run(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_import(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_remove(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_licence(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_provider(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_key(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_show(const std::vector<std::string>& text);
[[nodiscard]] Result<> run_stats(const std::vector<std::string>& text);

// Where the store is: --store, or the settings in --ksn FOLDER, or the place where an installed one lies.
[[nodiscard]] Result<std::string> store_of(const Arguments& arguments);

}  // namespace picket::ksn_tool
