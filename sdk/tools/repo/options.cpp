#include "repo/options.hpp"

#include <charconv>
#include <cstdio>
#include <sstream>

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>

namespace picket::repo {

namespace po = boost::program_options;

struct Options::Impl {
  CommandText text;
  po::options_description visible{"Options"};
  po::options_description hidden;
  std::vector<std::string> required;
  std::string positional_name;
  std::size_t minimum = 0, maximum = 0;
  po::variables_map values;
  bool is_wrong_usage = false;
  std::vector<std::string> positionals;

  void print_help() const {
    std::ostringstream shown;
    shown << visible;
    std::printf("Usage: picket-repo %.*s%s%.*s%s\n\n%.*s\n\n%s", static_cast<int>(text.name.size()), text.name.data(), text.arguments.empty() ? "" : " ",
                static_cast<int>(text.arguments.size()), text.arguments.data(), visible.options().size() > 1 ? " [options]" : "", static_cast<int>(text.summary.size()),
                text.summary.data(), shown.str().c_str());
    if (!text.examples.empty()) std::printf("\nExamples:\n%.*s\n", static_cast<int>(text.examples.size()), text.examples.data());
  }
};

Options::Options(CommandText text) : impl_(std::make_unique<Impl>()) {
  impl_->text = text;
  flag("help,h", "show this and end");
}
Options::~Options() = default;

Options& Options::flag(std::string_view name, std::string_view help) {
  impl_->visible.add_options()(std::string(name).c_str(), std::string(help).c_str());
  return *this;
}

Options& Options::value(std::string_view name, std::string_view value_name, std::string_view help) {
  impl_->visible.add_options()(std::string(name).c_str(), po::value<std::string>()->value_name(std::string(value_name)), std::string(help).c_str());
  return *this;
}

Options& Options::required(std::string_view name, std::string_view value_name, std::string_view help) {
  impl_->required.emplace_back(name);
  return value(name, value_name, help);
}

Options& Options::list(std::string_view name, std::string_view value_name, std::string_view help) {
  impl_->visible.add_options()(std::string(name).c_str(), po::value<std::vector<std::string>>()->value_name(std::string(value_name))->composing(),
                               std::string(help).c_str());
  return *this;
}

Options& Options::positional(std::string_view name, std::size_t minimum, std::size_t maximum) {
  impl_->positional_name = name;
  impl_->minimum = minimum;
  impl_->maximum = maximum;
  return *this;
}

std::optional<int> Options::parse(const std::vector<std::string>& arguments) {
  try {
    impl_->hidden.add_options()("positional argument", po::value<std::vector<std::string>>());
    po::options_description every;
    every.add(impl_->visible).add(impl_->hidden);
    po::positional_options_description positions;
    positions.add("positional argument", -1);
    namespace style = po::command_line_style;
    const auto parsed = po::command_line_parser(arguments).options(every).positional(positions).style(style::unix_style & ~style::allow_guessing).run();
    po::store(parsed, impl_->values);
  } catch (const po::error& error) {
    return mistake(error.what());
  }
  if (has("help")) {
    impl_->print_help();
    return Exit::ok;
  }
  impl_->positionals = all("positional argument");
  for (const auto& name : impl_->required)
    if (!has(name)) return mistake(cat("--", name, " is missing"));
  for (const auto& each : impl_->positionals)
    if (each.empty()) return mistake(cat(impl_->positional_name, " is empty"));
  if (impl_->positionals.size() < impl_->minimum) return mistake(cat(impl_->positional_name, " is missing"));
  if (impl_->positionals.size() > impl_->maximum) return mistake(cat("unexpected argument \"", impl_->positionals[impl_->maximum], "\""));
  return std::nullopt;
}

bool Options::has(std::string_view name) const { return impl_->values.count(std::string(name)) > 0; }

std::string Options::get(std::string_view name, std::string_view otherwise) const {
  return has(name) ? impl_->values[std::string(name)].as<std::string>() : std::string(otherwise);
}

std::vector<std::string> Options::all(std::string_view name) const {
  return has(name) ? impl_->values[std::string(name)].as<std::vector<std::string>>() : std::vector<std::string>{};
}

const std::vector<std::string>& Options::positionals() const { return impl_->positionals; }

tl::unexpected<Error> Options::wrong_usage(std::string what) const {
  impl_->is_wrong_usage = true;
  return fail(Code::invalid, std::move(what));
}

int Options::mistake(std::string what) const { return tell(wrong_usage(std::move(what)).value()); }

int Options::tell(const Error& error) const {
  const std::string name(impl_->text.name);
  std::fprintf(stderr, "picket-repo %s: %s%s\n", name.c_str(), error.message.c_str(), impl_->is_wrong_usage ? cat("; see picket-repo ", name, " --help").c_str() : "");
  return impl_->is_wrong_usage ? Exit::usage : Exit::failed;
}

Result<std::int64_t> Options::integer(std::string_view text, std::int64_t minimum, std::int64_t maximum, std::string_view what) const {
  std::int64_t number = 0;
  const auto [stop, why] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (why != std::errc{} || stop != text.data() + text.size() || number < minimum || number > maximum)
    return wrong_usage(cat(what, " must be a whole number from ", std::to_string(minimum), " to ", std::to_string(maximum), ", not \"", text, "\""));
  return number;
}

}  // namespace picket::repo
