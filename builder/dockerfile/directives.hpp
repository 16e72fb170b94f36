#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/ast.hpp"

namespace kiln::dockerfile {

// One `# name = value` line; the name in lower case, the value up to the first space and whole.
struct DirectiveLine {
  std::string name;
  std::string value;
  std::string whole_value;
};

// `name = value`, the text behind the comment sign; nullopt where it is no directive that docker knows.
std::optional<DirectiveLine> parse_directive(std::string_view comment);

// A directive among the lines at the top of a file, a shebang line and a byte-order mark skipped.
std::optional<Directive> find_directive(std::string_view text, std::string_view name,
                                        std::string_view comment_sign = "#");

// What front end a file asks for: `# syntax=`, `// syntax=`, or "syntax" in a file that is a JSON object.
std::optional<Directive> detect_syntax(std::string_view text);

// A comment above a file's first instruction that was meant as a directive and is none: docker reads directives at the
// very top alone, before any other comment or blank line, and by these names.
struct StrayDirective {
  int line = 0;
  std::string name;                    // as it is written
  std::optional<std::string> meant{};  // the directive it is nearly called by; nullopt: it only stands too low
};
std::vector<StrayDirective> stray_directives(std::string_view text);

// Whether a front end is docker's own Dockerfile language, which is what kiln builds: docker/dockerfile with any tag,
// also from a mirror, and the one that is built into BuildKit.
bool is_docker_front_end(std::string_view front_end);

std::string_view without_byte_order_mark(std::string_view text);

}  // namespace kiln::dockerfile
