#include "builder/dockerfile/shell_commands.hpp"

#include <algorithm>
#include <set>

namespace kiln::dockerfile {
namespace {

bool is_assignment(const std::string& word) {
  const auto equals = word.find('=');
  return equals != std::string::npos && equals > 0 &&
         word.substr(0, equals).find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
             std::string::npos;
}

class Splitter {
 public:
  explicit Splitter(std::string_view script) : script_(script) {}

  std::vector<ShellCommand> run() {
    for (; i_ < script_.size(); ++i_) {
      const char c = script_[i_];
      if (quote_ != '\0') {
        in_quotes(c);
      } else if (c == '\\' && i_ + 1 < script_.size()) {
        if (script_[++i_] != '\n') add(script_[i_]);
      } else if (c == '\'' || c == '"') {
        quote_ = c;
        in_word_ = true;
      } else if (c == '#' && !in_word_) {
        while (i_ + 1 < script_.size() && script_[i_ + 1] != '\n') ++i_;
      } else if (c == ';' || c == '&' || c == '|' || c == '\n' || c == '(' || c == ')') {
        end_command();
      } else if (c == ' ' || c == '\t' || c == '\r') {
        end_word();
      } else {
        add(c);
      }
    }
    end_command();
    return std::move(commands_);
  }

 private:
  void in_quotes(char c) {
    if (c == quote_) {
      quote_ = '\0';
    } else if (c == '\\' && quote_ == '"' && i_ + 1 < script_.size()) {
      add(script_[++i_]);
    } else {
      add(c);
    }
  }
  void add(char c) {
    word_ += c;
    in_word_ = true;
  }
  void end_word() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }
  void end_command() {
    end_word();
    static const std::set<std::string> prefixes = {"sudo", "exec", "then", "do",   "else",
                                                   "if",   "!",    "{",    "time", "command"};
    auto first = words_.begin();
    while (first != words_.end() && (prefixes.count(*first) != 0 || is_assignment(*first))) ++first;
    ShellCommand command{{first, words_.end()}};
    words_.clear();
    if (command.words.empty()) return;
    std::string& program = command.words[0];
    program.erase(0, program.rfind('/') + 1);
    commands_.push_back(std::move(command));
  }

  std::string_view script_;
  std::size_t i_ = 0;
  char quote_ = '\0';
  bool in_word_ = false;
  std::string word_;
  std::vector<std::string> words_;
  std::vector<ShellCommand> commands_;
};

}  // namespace

bool ShellCommand::has(std::string_view word) const {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool ShellCommand::has_option(char letter, std::string_view long_form) const {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    if (word.size() < 2 || word[0] != '-') return false;
    return word[1] == '-' ? word == long_form : word.find(letter) != std::string::npos;
  });
}

std::vector<std::string> ShellCommand::operands() const {
  std::vector<std::string> out;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].empty() || words[i][0] != '-') out.push_back(words[i]);
  }
  return out;
}

std::vector<ShellCommand> shell_commands(std::string_view script) { return Splitter(script).run(); }

}  // namespace kiln::dockerfile
