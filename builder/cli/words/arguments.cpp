#include "builder/cli/words/arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln::cli {

struct Arguments::Implementation {
  std::unique_ptr<CLI::App> owned;  // the root's only
  CLI::App* app = nullptr;
  Handler handler;
  std::string group = "Commands";
  std::vector<std::unique_ptr<Arguments>> commands;
};

namespace {

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// The innermost command that the words reached.
const CLI::App& selected(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : selected(*chosen.back());
}

// "kiln cache du": the command with those that it is nested in.
std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

// CLI11 looks for the name of a command in every word that could be one, also among the siblings of the command that
// has begun. With one command at most on each level, words behind a command's name are that command's.
void allow_one_command(CLI::App& app) { app.require_subcommand(0, 1); }

// The words behind the program's name, without a "--" that has no word with a dash behind it: such a one changes
// nothing, and CLI11 takes what stands behind it from a command whose list of words has begun.
std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const auto mark = std::find(words.begin(), words.end(), "--");
  // CLI11 would take the next word for the value, a flag among them.
  for (auto word = words.begin(); word != mark; ++word) {
    if (word->starts_with("--") && word->find('=') == word->size() - 1)
      throw Error(Category::usage, fmt::format("'{}' has no value behind its '='", printable(*word)));
  }
  if (mark == words.end() || mark == words.begin()) return words;
  const auto has_dash = [](const std::string& word) { return word.size() > 1 && word.starts_with("-"); };
  if (std::none_of(mark + 1, words.end(), has_dash)) words.erase(mark);
  return words;
}

// In the words of this program: those of CLI11 count and name types ("At Most 1 required but received 2").
std::string problem_of(const CLI::ParseError& error, const CLI::App& app) {
  const bool is_conversion = error.get_name() == "ConversionError";
  if (!is_conversion && error.get_name() != "ArgumentMismatch") return error.what();
  const std::string text = error.what();
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    const bool is_it =
        is_conversion ? text.find(": " + name + " =") != std::string::npos : text.starts_with(name + ":");
    if (!is_it) continue;
    if (is_conversion) return fmt::format("flag '{}' has a value that it does not take", name);
    if (text.find("At Most") == std::string::npos) return fmt::format("flag '{}' needs a value", name);
    return fmt::format("flag '{}' takes one value, and is given several times", name);
  }
  return text;
}

DocumentedWord document_of(const CLI::Option& option) {
  DocumentedWord word;
  for (const std::string& name : option.get_lnames()) word.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) word.names.push_back("-" + name);
  if (option.get_positional()) word.names = {option.get_name(true)};
  word.help = option.get_description();
  word.takes_value = option.get_items_expected_max() > 0;
  word.is_required = option.get_required();
  word.is_list = option.get_positional() ? option.get_items_expected_max() > 1
                                         : option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  return word;
}

DocumentedCommand document_of(const CLI::App& app) {
  DocumentedCommand command{app.get_name(), app.get_description(), app.get_group(), {}, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // a flag that is refused, with its reason
    (option->get_positional() ? command.positionals : command.flags).push_back(document_of(*option));
  }
  for (const CLI::App* below : app.get_subcommands(nullptr)) command.commands.push_back(document_of(*below));
  return command;
}

[[noreturn]] void refuse_words(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App& app = selected(root);
  const std::string where = full_name(app);
  const std::string word = words.empty() ? "" : words.front();
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    throw Error(Category::usage, fmt::format("unknown flag '{}' of '{}'{}", printable(name), where,
                                             suggestion(name, option_names(app))));
  }
  if (!command_names(app).empty()) {
    throw Error(Category::usage,
                fmt::format("unknown command '{}'{}", printable(word), suggestion(word, command_names(app))));
  }
  // Where a password is expected, the word may be one.
  if (app.get_option_no_throw("--password-stdin") != nullptr) {
    throw Error(Category::usage, fmt::format("'{}' takes no further argument; a password is read from standard input, "
                                             "with --password-stdin",
                                             where));
  }
  throw Error(Category::usage, fmt::format("'{}' takes no further argument '{}'", where, printable(word)));
}

}  // namespace

Arguments::Arguments(std::string name, std::string description) : implementation_(std::make_unique<Implementation>()) {
  implementation_->owned = std::make_unique<CLI::App>(std::move(description), std::move(name));
  implementation_->app = implementation_->owned.get();
  allow_one_command(*implementation_->app);
}

Arguments::Arguments(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Arguments::~Arguments() = default;

Arguments& Arguments::command(std::string name, std::string description) {
  auto child = std::make_unique<Implementation>();
  child->app = implementation_->app->add_subcommand(std::move(name), std::move(description));
  child->app->group(implementation_->group);
  allow_one_command(*child->app);
  implementation_->commands.push_back(std::unique_ptr<Arguments>(new Arguments(std::move(child))));
  return *implementation_->commands.back();
}

Arguments& Arguments::hidden_command(std::string name, std::string description) {
  Arguments& hidden = command(std::move(name), std::move(description));
  hidden.implementation_->app->group("");
  return hidden;
}

Arguments& Arguments::group(std::string heading) {
  implementation_->group = std::move(heading);
  return *this;
}

Arguments& Arguments::version(const std::string& text) {
  implementation_->app->set_version_flag("--version", text, "Print the version and exit");
  return *this;
}

Arguments& Arguments::flag(const std::string& names, bool& value, const std::string& help) {
  implementation_->app->add_flag(names, value, help);
  return *this;
}

Arguments& Arguments::option(const std::string& names, std::string& value, const std::string& help) {
  implementation_->app->add_option(names, value, help);
  return *this;
}

Arguments& Arguments::option(const std::string& names, std::optional<std::string>& value, const std::string& help) {
  implementation_->app->add_option(names, value, help);
  return *this;
}

Arguments& Arguments::option(const std::string& names, std::vector<std::string>& values, const std::string& help) {
  implementation_->app->add_option(names, values, help)->expected(1)->take_all()->allow_extra_args(false);
  return *this;
}

Arguments& Arguments::option(const std::string& names, int& value, const std::string& help) {
  implementation_->app->add_option(names, value, help);
  return *this;
}

Arguments& Arguments::positional(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  implementation_->app->add_option(name, values, help);
  return *this;
}

Arguments& Arguments::positional(const std::string& name, std::string& value, const std::string& help) {
  implementation_->app->add_option(name, value, help);
  return *this;
}

Arguments& Arguments::required_positional(const std::string& name, std::string& value, const std::string& help) {
  implementation_->app->add_option(name, value, help)->required();
  return *this;
}

Arguments& Arguments::refused(const std::string& names, const std::string& reason, bool takes_value) {
  const auto refuse = [names, reason] {
    throw Error(Category::usage, fmt::format("flag '{}' cannot be honoured: {}", names, reason));
  };
  CLI::Option* option = takes_value
                            ? implementation_->app->add_option_function<std::string>(
                                  names, [refuse](const std::string&) { refuse(); }, "not supported: " + reason)
                            : implementation_->app->add_flag_callback(names, refuse, "not supported: " + reason);
  option->group("");
  return *this;
}

std::vector<std::string> Arguments::given_flags() const {
  std::vector<std::string> given;
  for (const CLI::Option* option : implementation_->app->get_options()) {
    if (option->count() > 0 && !option->get_positional()) given.push_back(option->get_name());
  }
  return given;
}

Arguments& Arguments::handler(Handler handler) {
  implementation_->handler = std::move(handler);
  return *this;
}

std::optional<std::string> Arguments::help_of(const std::vector<std::string>& words) const {
  CLI::App* app = implementation_->app;
  for (const std::string& word : words) {
    const auto below = app->get_subcommands([&](const CLI::App* command) { return command->get_name() == word; });
    if (below.empty()) return std::nullopt;
    app = below.front();
  }
  // App::help() would answer for the command that was parsed.
  return app->get_formatter()->make_help(app, full_name(*app), CLI::AppFormatMode::Normal);
}

DocumentedCommand Arguments::document() const { return document_of(*implementation_->app); }

int Arguments::parse(int argc, char** argv, const CancelToken& cancel) {
  CLI::App& app = *implementation_->app;
  try {
    std::vector<std::string> words = words_of(argc, argv);
    std::reverse(words.begin(), words.end());  // the order in which CLI11 takes them
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp& help) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << '\n';
    return 0;
  } catch (const CLI::ExtrasError&) {
    std::vector<std::string> extras = app.remaining(true);
    refuse_words(app, extras);
  } catch (const CLI::ParseError& error) {
    // What is too much is told before what is missing: a misspelt flag is mostly why something is.
    std::vector<std::string> extras = app.remaining(true);
    std::erase_if(extras, [](const std::string& word) { return !word.starts_with("-"); });
    if (!extras.empty()) refuse_words(app, extras);
    throw Error(Category::usage, fmt::format("{}; '{} --help' shows the words",
                                             printable(problem_of(error, selected(app))), full_name(selected(app))));
  }
  Arguments* chosen = this;
  for (bool descended = true; descended;) {
    descended = false;
    for (const auto& command : chosen->implementation_->commands) {
      if (command->implementation_->app->parsed()) {
        chosen = command.get();
        descended = true;
        break;
      }
    }
  }
  if (!chosen->implementation_->handler) {
    std::cout << app.help();
    return 2;
  }
  return chosen->implementation_->handler(cancel);
}

}  // namespace kiln::cli
