#include "builder/dockerfile/syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/directives.hpp"
#include "builder/dockerfile/excerpt.hpp"
#include "builder/dockerfile/line_forms.hpp"
#include "builder/dockerfile/utf8.hpp"

// Physical lines become logical ones: a line that ends in the escape character goes on in the next, with
// comments and empty lines in between left out; behind a logical line come the bodies of its heredocs.
namespace kiln::dockerfile {
namespace {

constexpr std::size_t kMostInstructions = 10'000;
constexpr std::size_t kMaxLineBytes = 65535;  // docker's bound, its line end included

class Reader {
 public:
  Reader(std::string_view text, std::string_view file_name) : whole_(text), file_name_(file_name) {
    rest_ = without_byte_order_mark(text);
  }

  SyntaxTree read() {
    tree_.directives.syntax = find_directive(whole_, "syntax");
    tree_.directives.check = find_directive(whole_, "check");
    while (next_line()) logical_line();
    if (tree_.nodes.empty()) fail({number_, number_}, "the file holds no instructions");
    return std::move(tree_);
  }

 private:
  [[noreturn]] void fail(LineRange lines, std::string message) const {
    lines.first = std::max(1, lines.first);
    SyntaxError error(fmt::format("{}:{}: {}", printable(file_name_), lines.first, message), lines);
    error.set_detail(excerpt(whole_, file_name_, lines));
    throw error;
  }

  // Steps to the next physical line; line_ keeps its line end.
  bool next_line() {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end == std::string_view::npos ? end : end + 1);
    rest_.remove_prefix(line_.size());
    ++number_;
    if (line_.size() > kMaxLineBytes) {
      fail({number_, number_}, fmt::format("the line is longer than the {} bytes that are allowed", kMaxLineBytes));
    }
    return true;
  }

  static std::string_view without_line_end(std::string_view line) {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    return line;
  }

  static bool is_comment(std::string_view line) {
    line = trim_left_spaces(line);
    return !line.empty() && line[0] == '#';
  }

  // Cuts the line before an escape character that only blanks follow. One that is escaped itself does not
  // count.
  bool continues(std::string_view& line) const {
    std::string_view cut = line;
    while (!cut.empty() && (cut.back() == ' ' || cut.back() == '\t')) cut.remove_suffix(1);
    const char escape = tree_.directives.escape;
    if (cut.empty() || cut.back() != escape) return false;
    cut.remove_suffix(1);
    if (!cut.empty() && cut.back() == escape) return false;
    line = cut;
    return true;
  }

  void comment_line(std::string_view comment) {
    if (looking_for_directives_) {
      const auto directive = parse_directive(comment);
      if (directive) {
        if (!seen_.insert(directive->name).second) {
          fail({number_, number_}, fmt::format("there may be only one '{}' directive", directive->name));
        }
        if (directive->name == "escape") set_escape(directive->whole_value);
        return;
      }
      looking_for_directives_ = false;
    }
    comment = trim_spaces(comment);
    if (comment.empty()) {
      comments_.clear();
    } else {
      comments_.emplace_back(comment);
    }
  }

  void set_escape(std::string_view value) {
    if (value != "\\" && value != "`") {
      fail({number_, number_}, fmt::format("the escape character may be '\\' or '`', got '{}'", printable(value)));
    }
    tree_.directives.escape = value[0];
  }

  void logical_line() {
    std::string_view line = trim_left_spaces(without_line_end(line_));
    if (!line.empty() && line[0] == '#') return comment_line(line.substr(1));
    looking_for_directives_ = false;
    const LineRange start{number_, number_};
    bool open = continues(line);
    if (!open && line.empty()) return;

    std::string logical(line);
    bool has_empty_line = false;
    while (open && next_line()) {
      if (is_comment(line_)) continue;
      std::string_view more = without_line_end(line_);
      if (trim_left_spaces(more).empty()) {
        has_empty_line = true;
        continue;
      }
      open = continues(more);
      logical += more;
    }
    LineRange lines{start.first, number_};
    if (has_empty_line) tree_.empty_continuations.push_back(lines);

    try {
      Node node = node_of_line(logical, tree_.directives.escape);
      if (can_hold_heredocs(node)) node.heredocs = heredocs_of_line(logical);
      for (Heredoc& heredoc : node.heredocs) body_of(heredoc, lines);
      lines.last = number_;
      node.lines = lines;
      for (Node& child : node.children) child.lines = lines;
      node.comments = std::move(comments_);
      comments_.clear();
      if (tree_.nodes.size() == kMostInstructions)
        fail(lines, fmt::format("this is instruction {} of the file, expected at most {}", kMostInstructions + 1,
                                kMostInstructions));
      tree_.nodes.push_back(std::move(node));
    } catch (const SyntaxError&) {
      throw;
    } catch (const Error& error) {
      fail({start.first, number_}, error.message());
    }
  }

  static bool can_hold_heredocs(const Node& node) {
    const Node& inner = node.keyword == "onbuild" && !node.children.empty() ? node.children[0] : node;
    if (inner.json || node.original.find("<<") == std::string::npos) return false;
    return inner.keyword == "run" || inner.keyword == "copy" || inner.keyword == "add";
  }

  void body_of(Heredoc& heredoc, LineRange lines) {
    while (next_line()) {
      std::string_view end = without_line_end(line_);
      while (heredoc.strip_tabs && !end.empty() && end[0] == '\t') end.remove_prefix(1);
      if (end == heredoc.name) return;
      heredoc.content += line_;
    }
    fail(lines, fmt::format("the heredoc '{}' has no end: there is no line '{}' below it", printable(heredoc.name),
                            printable(heredoc.name)));
  }

  std::string_view whole_;
  std::string_view file_name_;
  std::string_view rest_;
  std::string_view line_;
  int number_ = 0;
  bool looking_for_directives_ = true;
  std::set<std::string> seen_;
  std::vector<std::string> comments_;
  SyntaxTree tree_;
};

}  // namespace

SyntaxTree parse_syntax(std::string_view text, std::string_view file_name) { return Reader(text, file_name).read(); }

}  // namespace kiln::dockerfile
