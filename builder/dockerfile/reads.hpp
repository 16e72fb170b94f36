#pragma once

#include <string>
#include <vector>

#include "builder/dockerfile/ast.hpp"

namespace kiln::dockerfile {

// Files that an instruction takes from somewhere: the one place that knows which instructions read what. Everything in
// it is as written; a path may hold variables and wildcards, and one of ADD may be a URL or a git repository.
struct Read {
  enum class By {
    transfer,  // the sources of COPY and ADD
    bind,      // RUN --mount=type=bind
    cache,     // RUN --mount=type=cache,from=...: what a new cache begins with
    unknown,   // a mount whose type hangs on a variable
  };
  By by = By::transfer;
  // A stage, an image or a named context; COPY --from may name a stage by its number. Empty: the build context.
  std::string from;
  std::vector<std::string> paths;  // "." is all of it

  bool is_of_context() const { return from.empty(); }
};

// Everything that an instruction reads, in its order. Heredocs are no files of anywhere, and the layers that a RUN
// stands on are not its own reads.
std::vector<Read> reads_of(const Instruction& instruction);

// What COPY and ADD have in common; nullptr for other instructions.
const Transfer* transfer_of(const Instruction& instruction);

// Whether an instruction can make a layer: RUN, COPY, ADD, WORKDIR.
bool makes_step(const Instruction& instruction);

bool has_variable(const std::string& text);

// The names after --from and from= that no variable hides.
std::vector<std::string> names_read(const Instruction& instruction);

}  // namespace kiln::dockerfile
