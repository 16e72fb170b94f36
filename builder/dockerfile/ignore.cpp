#include "builder/dockerfile/ignore.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/directives.hpp"
#include "builder/dockerfile/utf8.hpp"

namespace kiln::dockerfile {

namespace {

// Each is held against every path of the context, and takes half a kilobyte.
constexpr std::size_t kMostPatterns = 100'000;

}  // namespace

std::vector<IgnoreLine> ignore_lines(std::string_view text) {
  std::vector<IgnoreLine> out;
  int number = 0;
  for (std::string_view line : split(without_byte_order_mark(text), '\n')) {
    ++number;
    if (!line.empty() && line[0] == '#') continue;
    line = trim_spaces(line);
    if (line.empty()) continue;
    const bool negated = line[0] == '!';
    if (negated) line = trim_spaces(line.substr(1));
    std::string pattern = line.empty() ? "" : clean_path(line);
    if (pattern.size() > 1 && pattern[0] == '/') pattern.erase(0, 1);
    out.push_back({(negated ? "!" : "") + pattern, number});
    if (out.size() > kMostPatterns) break;
  }
  return out;
}

IgnoreMatcher read_ignore_rules(std::string_view text, std::string_view file_name) {
  IgnoreMatcher rules;
  const std::vector<IgnoreLine> lines = ignore_lines(text);
  if (lines.size() > kMostPatterns) {
    throw Error(Category::usage,
                fmt::format("{}:{}: more than {} patterns", printable(file_name), lines.back().number, kMostPatterns));
  }
  for (const IgnoreLine& line : lines) {
    try {
      rules.add(line.pattern);
    } catch (const Error& error) {
      throw Error(error.category(), fmt::format("{}:{}: {}", printable(file_name), line.number, error.message()));
    }
  }
  return rules;
}

IgnoreMatcher::IgnoreMatcher(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) add(pattern);
}

void IgnoreMatcher::add(std::string_view written) {
  const std::string_view trimmed = trim_spaces(written);
  if (trimmed.empty()) return;
  std::string pattern = clean_path(trimmed);
  const bool negated = pattern[0] == '!';
  if (negated) pattern.erase(0, 1);
  if (pattern.empty()) {
    throw Error(Category::usage, "malformed pattern '!': write behind it what is to be kept");
  }
  std::string prefix = pattern.substr(0, pattern.find_first_of("*?[\\"));
  rules_.push_back({PathPattern(pattern), negated, std::move(prefix)});
}

bool IgnoreMatcher::ignores(std::string_view path, const State& folder, State& own) const {
  own.assign(rules_.size(), 0);
  bool ignored = false;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    bool match = !folder.empty() && folder[i] != 0;
    if (!match) {
      // A pattern that could not change the verdict is not asked, and so says nothing for what is below
      // either.
      if (rule.negated != ignored) continue;
      match = rule.pattern.matches(path);
    }
    own[i] = match;
    if (match) ignored = !rule.negated;
  }
  return ignored;
}

bool IgnoreMatcher::ignores(std::string_view path) const {
  State folder;
  State own;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    ignores(path.substr(0, slash), folder, own);
    folder.swap(own);
  }
  return ignores(path, folder, own);
}

bool IgnoreMatcher::may_reinclude_below(std::string_view folder) const {
  std::string below(folder);
  if (!below.empty()) below += '/';
  for (const Rule& rule : rules_) {
    if (!rule.negated) continue;
    const std::size_t common = std::min(below.size(), rule.fixed_prefix.size());
    const bool fixed = rule.fixed_prefix.size() == rule.pattern.text().size();
    if (below.compare(0, common, rule.fixed_prefix, 0, common) != 0) continue;
    // The literal part ends inside of the folder's own path: a wildcard goes on from there.
    if (rule.fixed_prefix.size() >= below.size() || !fixed) return true;
  }
  return false;
}

}  // namespace kiln::dockerfile
