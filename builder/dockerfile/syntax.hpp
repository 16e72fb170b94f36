#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "builder/dockerfile/ast.hpp"

// The first of the parser's two steps: from bytes to logical lines, without knowing what instructions mean.
namespace kiln::dockerfile {

// One instruction as words. `args` is what the instruction's kind of line has: JSON arrays, words or the
// whole rest; ENV and LABEL have three entries a pair: key, value, and "=" or "" for the form without '='.
// ONBUILD has its trigger as `children`.
struct Node {
  std::string keyword;  // lower case, "run"
  std::string keyword_as_written;
  std::vector<std::string> flags;
  std::vector<std::string> args;
  bool json = false;  // args came from a JSON array
  std::vector<Node> children;
  std::vector<Heredoc> heredocs;
  std::string original;
  LineRange lines;
  std::vector<std::string> comments;
};

struct SyntaxTree {
  Directives directives;
  std::vector<Node> nodes;
  std::vector<LineRange> empty_continuations;  // instructions with an empty line inside a continuation
};

// Error{usage} that knows its lines; the message begins with "FILE:LINE: ", the detail is the excerpt.
class SyntaxError : public Error {
 public:
  SyntaxError(std::string message, LineRange lines) : Error(Category::usage, std::move(message)), lines_(lines) {}
  LineRange lines() const noexcept { return lines_; }

 private:
  LineRange lines_;
};

// Lines, continuations, comments, directives, heredocs and words of a Dockerfile. Bytes are taken as they
// come (a byte-order mark and carriage returns are dropped). Throws SyntaxError.
SyntaxTree parse_syntax(std::string_view text, std::string_view file_name);

// The heredoc that one word of a command is ("<<EOF", "3<<-'EOF'"), without content; nullopt where it is
// none. Throws Error{usage} for a word with an unbalanced quote.
std::optional<Heredoc> heredoc_of_word(std::string_view word);

}  // namespace kiln::dockerfile
