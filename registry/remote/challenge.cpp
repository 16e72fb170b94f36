#include "registry/remote/challenge.hpp"

#include <cctype>

#include "base/text.hpp"

namespace kiln {

namespace {

bool is_token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

class ChallengeReader {
 public:
  explicit ChallengeReader(std::string_view text) : text_(text) {}
  bool at_end() const { return text_.empty(); }
  void skip(std::string_view characters) {
    while (!text_.empty() && characters.find(text_[0]) != std::string_view::npos) text_.remove_prefix(1);
  }
  std::string_view token() {
    std::size_t length = 0;
    while (length < text_.size() && is_token_char(text_[length])) ++length;
    const std::string_view result = text_.substr(0, length);
    text_.remove_prefix(length);
    return result;
  }
  bool accept(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void drop(std::size_t count) { text_.remove_prefix(std::min(count, text_.size())); }
  std::string_view rest() const { return text_; }
  // A quoted string after its opening quote; unfinished ones end with the text.
  std::string quoted() {
    std::string result;
    while (!text_.empty()) {
      const char c = text_[0];
      text_.remove_prefix(1);
      if (c == '"') return result;
      if (c == '\\' && !text_.empty()) {
        result += text_[0];
        text_.remove_prefix(1);
      } else {
        result += c;
      }
    }
    return result;
  }

 private:
  std::string_view text_;
};

constexpr std::string_view kSpace = " \t";

// One field. Whether a word begins a challenge or a parameter shows by the '=' behind it.
void parse_field(std::string_view text, std::vector<Challenge>& challenges) {
  ChallengeReader reader(text);
  for (;;) {
    reader.skip(" \t,");
    if (reader.at_end()) return;
    const std::string name = to_lower(reader.token());
    if (name.empty()) {
      reader.drop(1);
      continue;
    }
    reader.skip(kSpace);
    const bool is_parameter = reader.rest().starts_with('=') && !reader.rest().starts_with("==");
    if (!is_parameter) {
      challenges.push_back({name, {}});
      continue;
    }
    reader.accept('=');
    reader.skip(kSpace);
    std::string value = reader.accept('"') ? reader.quoted() : std::string(reader.token());
    if (!challenges.empty()) challenges.back().parameters.emplace(name, std::move(value));
  }
}

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

std::vector<Challenge> parse_challenges(const std::vector<std::string>& fields) {
  std::vector<Challenge> challenges;
  for (const std::string& field : fields) {
    std::vector<Challenge> own;
    parse_field(field, own);
    challenges.insert(challenges.end(), own.begin(), own.end());
  }
  return challenges;
}

}  // namespace kiln
