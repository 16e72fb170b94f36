#pragma once

#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "builder/dockerfile/ast.hpp"
#include "builder/dockerfile/syntax.hpp"

namespace kiln::dockerfile {

// Reads a whole Dockerfile as BuildKit's front end 1.20 does. What is wrong is Error{usage} whose detail() is
// the excerpt around the line; misspelt instructions and flags are answered with the nearest real ones.
Dockerfile parse(std::string_view text, std::string_view file_name);

// The same as far as it goes: what stands before the first mistake, and the mistake. For tools that report on
// Dockerfiles that do not build.
struct PartialParse {
  Dockerfile dockerfile;
  std::vector<LineRange> empty_continuations;
  std::optional<Error> error;
  LineRange error_lines;
};
PartialParse parse_partially(std::string_view text, std::string_view file_name);

// One instruction that is no FROM, its heredocs on the lines below it: an ONBUILD trigger from an image
// config, or the value of a `--change` flag. The lines are {0, 0}. Error{usage} names `origin` ("image
// 'ghcr.io/acme/base'").
Instruction parse_trigger(std::string_view text, std::string_view origin, char escape = '\\');

}  // namespace kiln::dockerfile
