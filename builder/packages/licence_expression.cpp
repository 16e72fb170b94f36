#include "builder/packages/licence_expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

// A descent over the words of the text; brackets are words.
class LicenceExpression::Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    std::string word;
    const auto end_word = [&] {
      if (!word.empty()) words_.push_back(std::exchange(word, {}));
    };
    for (const char c : text) {
      if (c == '(' || c == ')') {
        end_word();
        words_.emplace_back(1, c);
      } else if (c == ' ') {
        end_word();
      } else {
        word += c;
      }
    }
    end_word();
  }

  LicenceExpression read() {
    LicenceExpression expression = read_list(Kind::one_of, "OR", 0);
    if (next_ != words_.size()) refuse();
    return expression;
  }

 private:
  static constexpr int kMostBrackets = 64;

  bool takes(std::string_view word) {
    if (next_ == words_.size() || !equals_ignoring_case(words_[next_], word)) return false;
    ++next_;
    return true;
  }

  [[noreturn]] void refuse() const {
    throw Error(Category::usage,
                fmt::format("licence expression '{}': expected licences joined by AND and OR, got {}", printable(text_),
                            next_ < words_.size() ? fmt::format("'{}'", printable(words_[next_])) : "its end"));
  }

  LicenceExpression read_list(Kind kind, std::string_view joint, int depth) {
    const auto read_part = [&] {
      return kind == Kind::one_of ? read_list(Kind::all_of, "AND", depth) : read_one(depth);
    };
    LicenceExpression first = read_part();
    if (!takes(joint)) return first;
    LicenceExpression list;
    list.kind_ = kind;
    list.parts_.push_back(std::move(first));
    do {
      list.parts_.push_back(read_part());
    } while (takes(joint));
    return list;
  }

  std::string read_name() {
    for (const std::string_view word : {"(", ")", "AND", "OR", "WITH"}) {
      if (next_ < words_.size() && equals_ignoring_case(words_[next_], word)) refuse();
    }
    if (next_ == words_.size()) refuse();
    return words_[next_++];
  }

  LicenceExpression read_one(int depth) {
    if (takes("(")) {
      if (depth == kMostBrackets) refuse();
      LicenceExpression inner = read_list(Kind::one_of, "OR", depth + 1);
      if (!takes(")")) refuse();
      return inner;
    }
    LicenceExpression one;
    one.licence_ = read_name();
    if (takes("WITH")) one.licence_ += " WITH " + read_name();
    return one;
  }

  std::string_view text_;
  std::vector<std::string> words_;
  std::size_t next_ = 0;
};

LicenceExpression LicenceExpression::parse(std::string_view text) { return Reader(text).read(); }

std::vector<std::string> LicenceExpression::obstacles(const IsForbidden& is_forbidden) const {
  if (kind_ == Kind::licence)
    return is_forbidden(licence_) ? std::vector<std::string>{licence_} : std::vector<std::string>{};
  std::vector<std::string> found;
  for (const LicenceExpression& part : parts_) {
    const std::vector<std::string> of_part = part.obstacles(is_forbidden);
    if (kind_ == Kind::one_of && of_part.empty()) return {};
    for (const std::string& licence : of_part) {
      if (std::find(found.begin(), found.end(), licence) == found.end()) found.push_back(licence);
    }
  }
  return found;
}

}  // namespace kiln
