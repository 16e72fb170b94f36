#include "builder/cli/words/completion.hpp"

#include <algorithm>

namespace kiln::cli {

namespace {

// Where the words before the last one have led to.
struct Reached {
  const DocumentedCommand* command;
  std::string command_name;
  const DocumentedWord* flag = nullptr;  // that waits for its value
  std::vector<std::string> given_flags;
  std::size_t positionals = 0;
  bool only_positionals = false;  // behind "--"
};

bool is_flag(const Reached& at, const std::string& word) {
  return !at.only_positionals && word.size() > 1 && word.front() == '-';
}

void take_word(Reached& at, const std::string& word) {
  if (at.flag != nullptr) {
    at.flag = nullptr;
  } else if (word == "--" && !at.only_positionals) {
    at.only_positionals = true;
  } else if (is_flag(at, word)) {
    const std::size_t equals = word.find('=');
    const DocumentedWord* flag = find_flag(*at.command, word.substr(0, equals));
    if (flag == nullptr) return;
    at.given_flags.push_back(flag->names.front());
    if (flag->takes_value && equals == std::string::npos) at.flag = flag;
  } else if (const DocumentedCommand* below = find_command(*at.command, word); below && at.positionals == 0) {
    at.command = below;
    at.command_name += at.command_name.empty() ? word : " " + word;
  } else {
    ++at.positionals;
  }
}

void add_candidate(Completion& out, std::string_view typed, std::string word, std::string description) {
  if (word.starts_with(typed)) out.candidates.push_back({std::move(word), std::move(description)});
}

void add_flags(Completion& out, const Reached& at, std::string_view typed) {
  for (const DocumentedWord& flag : at.command->flags) {
    const bool is_given =
        std::find(at.given_flags.begin(), at.given_flags.end(), flag.names.front()) != at.given_flags.end();
    if (is_given && !flag.is_list) continue;
    for (const std::string& name : flag.names) add_candidate(out, typed, name, flag.help);
  }
}

void add_commands_below(Completion& out, const Reached& at, std::string_view typed) {
  for (const DocumentedCommand& command : at.command->commands) {
    if (!command.group.empty()) add_candidate(out, typed, command.name, command.description);
  }
}

void add_values(Completion& out, std::string_view typed, std::string_view prefix, const ValuesOf& values_of,
                const AskedValue& asked) {
  const auto values = values_of(asked);
  out.takes_files = !values;
  if (!values) return;
  for (const std::string& value : *values) add_candidate(out, typed, std::string(prefix) + value, "");
}

const DocumentedWord* next_positional(const Reached& at) {
  const auto& positionals = at.command->positionals;
  if (at.positionals < positionals.size()) return &positionals[at.positionals];
  return !positionals.empty() && positionals.back().is_list ? &positionals.back() : nullptr;
}

}  // namespace

Completion complete_words(const DocumentedCommand& root, const std::vector<std::string>& words,
                          const ValuesOf& values_of) {
  Completion out;
  if (words.empty()) return out;
  Reached at{&root, "", nullptr, {}, 0, false};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) take_word(at, words[i]);
  const std::string& typed = words.back();
  const auto asked = [&](const DocumentedWord& word) {
    return AskedValue{word.names.front(), at.command_name, {words.begin(), words.end() - 1}};
  };
  if (at.flag != nullptr) {
    add_values(out, typed, "", values_of, asked(*at.flag));
    return out;
  }
  if (!at.only_positionals && typed.starts_with("-")) {
    const std::size_t equals = typed.find('=');
    if (equals == std::string::npos) {
      add_flags(out, at, typed);
    } else if (const DocumentedWord* flag = find_flag(*at.command, typed.substr(0, equals));
               flag && flag->takes_value) {
      add_values(out, typed, typed.substr(0, equals + 1), values_of, asked(*flag));
    }
    return out;
  }
  if (!at.only_positionals && at.positionals == 0) add_commands_below(out, at, typed);
  if (const DocumentedWord* positional = next_positional(at)) add_values(out, typed, "", values_of, asked(*positional));
  return out;
}

}  // namespace kiln::cli
