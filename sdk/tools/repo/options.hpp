// The command line of one command: options with help, examples, and the two ways to end early (help, usage error).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::repo {

// Exit statuses of the program.
enum Exit : int { ok = 0, failed = 1, usage = 2 };

struct CommandText {
  std::string_view name;      // "role threshold"
  std::string_view arguments; // "ROLE N"
  std::string_view summary;
  std::string_view examples;  // lines
};

class Options {
 public:
  explicit Options(CommandText text);
  ~Options();

  Options& flag(std::string_view name, std::string_view help);
  // `value_name` is shown in the help; an absent option is an empty optional.
  Options& value(std::string_view name, std::string_view value_name, std::string_view help);
  Options& required(std::string_view name, std::string_view value_name, std::string_view help);
  Options& list(std::string_view name, std::string_view value_name, std::string_view help);
  Options& positional(std::string_view name, std::size_t minimum, std::size_t maximum);

  // An exit status when the program should end now: 0 after --help, 2 after a mistake that was told.
  [[nodiscard]] std::optional<int> parse(const std::vector<std::string>& arguments);

  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::string get(std::string_view name, std::string_view otherwise = {}) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& positionals() const;

  // A whole number of that range, else wrong usage that names `what`.
  [[nodiscard]] Result<std::int64_t> integer(std::string_view text, std::int64_t minimum, std::int64_t maximum, std::string_view what) const;
  // What was typed cannot be meant: tell() ends with Exit::usage.
  [[nodiscard]] tl::unexpected<Error> wrong_usage(std::string what) const;
  int mistake(std::string what) const;  // told
  // Prints "picket-repo NAME: message"; the exit status.
  int tell(const Error& error) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace picket::repo
