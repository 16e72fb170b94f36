#include "builder/definitions/json_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/definitions/schema.hpp"

namespace kiln {

JsonSource JsonSource::read(const fs::path& file) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 20;
  return {file, read_named_file(file, kMaxBytes)};
}

nlohmann::json JsonSource::parse() const { return parse_json_file(text_, display_path(file_)); }

nlohmann::json JsonSource::parse(const JsonSchema& schema, std::string_view unknown_key_help) const {
  nlohmann::json value = parse();
  std::vector<SchemaIssue> issues = schema.validate(value);
  if (issues.empty()) return value;
  const auto line = [&](const SchemaIssue& issue) { return json_line_of(text_, issue.pointer).value_or(1); };
  std::stable_sort(issues.begin(), issues.end(), [&](const auto& a, const auto& b) { return line(a) < line(b); });
  std::vector<std::string> problems;
  for (const SchemaIssue& issue : issues) {
    const bool is_at_top = issue.pointer.find('/', 1) == std::string::npos;
    problems.push_back(fmt::format("{}: {}{}", at(issue.pointer), issue.message,
                                   issue.is_unknown_key && is_at_top ? unknown_key_help : ""));
  }
  throw error_of(problems);
}

std::string JsonSource::at(std::string_view pointer) const {
  const auto line = json_line_of(text_, pointer);
  return line ? fmt::format("{}:{}", display_path(file_), *line) : display_path(file_);
}

void JsonSource::fail(std::string_view pointer, std::string_view message) const {
  throw Error(Category::usage, fmt::format("{}: {}", at(pointer), message));
}

Error error_of(const std::vector<std::string>& problems) {
  Error error(Category::usage, problems.at(0));
  if (problems.size() > 1) error.set_detail(join({problems.begin() + 1, problems.end()}, "\n") + "\n");
  return error;
}

std::vector<std::string> problems_of(const Error& error) {
  std::vector<std::string> problems = {error.message()};
  for (const std::string_view line : split(error.detail(), '\n')) {
    if (!line.empty()) problems.emplace_back(line);
  }
  return problems;
}

std::string display_path(const fs::path& path) {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  if (error || !path.is_absolute()) return printable(path.string());
  const fs::path relative = path.lexically_relative(here);
  if (relative.empty() || *relative.begin() == "..") return printable(path.string());
  return printable(relative.string());
}

}  // namespace kiln
