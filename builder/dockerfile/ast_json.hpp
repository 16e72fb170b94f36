#pragma once

#include <nlohmann/json_fwd.hpp>

#include "builder/dockerfile/syntax.hpp"

namespace kiln::dockerfile {

// The parse as `kiln build --print-ast` prints it: an array with an object an instruction, {"instruction"
// (lower case), "flags", "args" or "json" (a JSON array was written), "heredocs" [{"name", "content",
// "expand", "chomp", "fd"}], "start_line", "end_line", "original"}. The one argument of ONBUILD is the
// trigger as such an object, with "instruction", "flags" and "args" or "json". Bytes that are no UTF-8 stay
// in the strings: dump() needs an error handler.
nlohmann::json ast_json(const SyntaxTree& tree);

}  // namespace kiln::dockerfile
