#include <algorithm>
#include <charconv>
#include <sstream>

#include <boost/program_options.hpp>

#include "base/listed.hpp"
#include "ctl/command.hpp"

namespace picket::ctl {
namespace {

namespace po = boost::program_options;

constexpr std::size_t kMostWords = 3;  // of a command's name
constexpr std::size_t kWidest = 100;   // columns that help takes

po::options_description describe(const char* title, std::span<const OptionSpec> specs) {
  po::options_description out(title);
  for (const auto& spec : specs) {
    if (spec.value_name == nullptr) out.add_options()(spec.name, spec.help);
    else out.add_options()(spec.name, po::value<std::string>()->value_name(spec.value_name), spec.help);
  }
  return out;
}

bool takes_value(std::string_view option) {
  return std::ranges::any_of(global_options(), [&](const auto& spec) { return option == cat("--", spec.name) && spec.value_name != nullptr; });
}

// The command's own words: "plugin", "list". Options of the program may stand before them.
struct Words {
  std::vector<std::string> words;
  std::vector<std::size_t> positions;
};
Words leading_words(std::span<const std::string> arguments) {
  Words out;
  for (std::size_t i = 0; i < arguments.size() && out.words.size() < kMostWords; ++i) {
    const auto& argument = arguments[i];
    if (argument == "--") break;
    if (argument.starts_with("-")) {
      if (takes_value(argument)) ++i;
      continue;
    }
    out.words.push_back(argument);
    out.positions.push_back(i);
  }
  return out;
}

std::string joined(const Words& typed, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += cat(i == 0 ? "" : " ", typed.words[i]);
  return out;
}

const Command* find_command(const Words& typed, std::size_t& used) {
  for (used = std::min(kMostWords, typed.words.size()); used > 0; --used)
    for (const auto& command : commands())
      if (joined(typed, used) == command.name) return &command;
  return nullptr;
}

// The words that may follow these, in the table's order.
std::vector<std::string> words_after(std::string_view prefix) {
  std::vector<std::string> out;
  for (const auto& command : commands()) {
    std::string_view name = command.name;
    if (!prefix.empty()) {
      if (!name.starts_with(prefix) || name.size() <= prefix.size() || name[prefix.size()] != ' ') continue;
      name.remove_prefix(prefix.size() + 1);
    }
    std::string word(name.substr(0, name.find(' ')));
    if (std::ranges::find(out, word) == out.end()) out.push_back(std::move(word));
  }
  return out;
}

Result<Invocation> unknown_command(const Words& typed) {
  std::size_t known = 0;
  while (known < typed.words.size() && !words_after(joined(typed, known + 1)).empty()) ++known;
  const auto prefix = joined(typed, known);
  const auto names = words_after(prefix);
  if (known < typed.words.size()) {
    const auto near = nearest(typed.words[known], names);
    return fail(Code::invalid, cat("unknown command '", prefix, prefix.empty() ? "" : " ", typed.words[known], "'",
                                   near.empty() ? std::string("; see picketctl help") : cat("; did you mean '", prefix, prefix.empty() ? "" : " ", near, "'?")));
  }
  return fail(Code::invalid, cat("'", prefix, "' needs one of: ", listed(names)));
}

std::string see(const Command* command) { return command == nullptr ? "; see picketctl help" : cat("; see picketctl ", command->name, " --help"); }

}  // namespace

std::string Invocation::value(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() ? std::string() : found->second;
}

std::string nearest(std::string_view typed, std::span<const std::string> names) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const auto& name : names) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t i = 0; i <= name.size(); ++i) row[i] = i;
    for (std::size_t t = 0; t < typed.size(); ++t) {
      std::size_t diagonal = row[0];
      row[0] = t + 1;
      for (std::size_t i = 1; i <= name.size(); ++i) {
        const auto change = diagonal + (typed[t] == name[i - 1] ? 0 : 1);
        diagonal = row[i];
        row[i] = std::min({row[i] + 1, row[i - 1] + 1, change});
      }
    }
    if (row.back() < best_distance) best = name, best_distance = row.back();
  }
  return best;
}

Result<Invocation> parse_arguments(std::span<const std::string> arguments) {
  Invocation out;
  const auto typed = leading_words(arguments);
  std::size_t used = 0;
  out.command = find_command(typed, used);
  const bool asks_help = std::ranges::any_of(arguments, [](const auto& argument) { return argument == "--help" || argument == "-h"; });
  if (out.command == nullptr && !typed.words.empty() && !asks_help) return unknown_command(typed);

  std::vector<std::string> rest;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (std::ranges::find(typed.positions.begin(), typed.positions.begin() + static_cast<std::ptrdiff_t>(used), i) ==
        typed.positions.begin() + static_cast<std::ptrdiff_t>(used))
      rest.push_back(arguments[i]);

  po::options_description all;
  all.add(describe("Options of picketctl", global_options()));
  all.add_options()("help,h", "")("version", "")("arguments", po::value<std::vector<std::string>>(), "");
  if (out.command != nullptr) all.add(describe("Options", out.command->options));
  po::positional_options_description positional;
  positional.add("arguments", -1);
  po::variables_map map;
  try {
    // No guessing from abbreviations: a script that works today must not break when an option is added.
    const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(rest).options(all).positional(positional).style(style).run(), map);
    po::notify(map);
  } catch (const po::error& error) {
    return fail(Code::invalid, cat(error.what(), see(out.command)));
  }
  for (const auto& [name, value] : map) {
    if (name == "arguments") out.arguments = value.as<std::vector<std::string>>();
    else if (name == "help") out.help = true;
    else if (name == "version") out.version = true;
    else out.options[name] = value.value().type() == typeid(std::string) ? value.as<std::string>() : std::string();
  }
  if (out.help || out.version) return out;
  if (out.command == nullptr) return fail(Code::invalid, "no command was given; see picketctl help");
  if (out.arguments.size() < out.command->least)
    return fail(Code::invalid, cat("'", out.command->name, "' needs ", out.command->arguments, see(out.command)));
  if (out.arguments.size() > out.command->most)
    return fail(Code::invalid, cat("'", out.command->name, "' takes ", *out.command->arguments == '\0' ? "no arguments" : out.command->arguments,
                                   ", not '", out.arguments[out.command->most], "'", see(out.command)));
  return out;
}

std::string help_text(const Command* command) {
  std::ostringstream out;
  if (command == nullptr) {
    out << "Usage: picketctl COMMAND [options]\nTalks with picketd, the agent that keeps this computer's protection current.\n\nCommands:\n";
    for (const auto& each : commands()) {
      const auto usage = cat(each.name, *each.arguments == '\0' ? "" : " ", each.arguments);
      const std::string gap(usage.size() < 32 ? 32 - usage.size() : 1, ' ');
      const bool fits = 2 + usage.size() + gap.size() + std::string_view(each.summary).size() <= kWidest;
      out << "  " << usage << (fits ? gap : "\n      ") << each.summary << '\n';
    }
    out << '\n' << describe("Options of every command", global_options());
    out << "\nExit codes: 0 ok, 1 the operation failed, 2 wrong usage, 3 picketd cannot be reached,\n"
           "4 a scan or a ksn check found something, 5 only a part succeeded, 130 interrupted.\nExample: picketctl status\n";
    return out.str();
  }
  out << "Usage: picketctl " << command->name << (*command->arguments == '\0' ? "" : " ") << command->arguments << " [options]\n"
      << command->summary << ".\n";
  if (!command->options.empty()) out << '\n' << describe("Options", command->options);
  out << '\n' << describe("Options of every command", global_options()) << "\nExample: " << command->example << '\n';
  return out.str();
}

Result<std::string> help_on(std::span<const std::string> words) {
  if (words.empty()) return help_text(nullptr);
  std::string name;
  for (const auto& word : words) name += cat(name.empty() ? "" : " ", word);
  std::string group;
  for (const auto& command : commands()) {
    if (name == command.name) return help_text(&command);
    if (std::string_view(command.name).starts_with(cat(name, " "))) group += cat("  ", command.name, *command.arguments == '\0' ? "" : " ", command.arguments, "\n      ", command.summary, "\n");
  }
  if (group.empty()) return fail(Code::invalid, cat("there is no command '", name, "'; see picketctl help"));
  return cat("Commands of '", name, "':\n", group);
}

tl::unexpected<Error> Context::wrong_usage(std::string_view what) {
  is_wrong_usage_ = true;
  return fail(Code::invalid, cat(what, see(invocation.command)));
}

Result<std::uint64_t> Context::number(std::string_view option, std::uint64_t otherwise, std::uint64_t most, std::uint64_t least) {
  if (!invocation.has(option)) return otherwise;
  const auto text = invocation.value(option);
  std::uint64_t out = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || stop != text.data() + text.size() || out > most || out < least)
    return wrong_usage(cat("--", option, ": '", text, "' is not a number from ", std::to_string(least), " to ", std::to_string(most)));
  return out;
}

}  // namespace picket::ctl
