#pragma once

#include "builder/cli/words/dockerfile_input.hpp"
#include "builder/dockerfile/ignore.hpp"

namespace kiln::cli {

// `kiln build --print-ast`: the parse as JSON (see ast_json.hpp). Throws what the parser does.
void print_ast(const DockerfileInput& input);

// `kiln build --print-ignored`: every path of the context, one a line behind "kept     " or "ignored  ", folders with a
// trailing slash and before what they hold. A folder is kept where it, or anything below it, is.
void print_ignored(const fs::path& context, const dockerfile::IgnoreMatcher& matcher);

}  // namespace kiln::cli
