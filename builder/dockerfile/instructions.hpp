#pragma once

#include "builder/dockerfile/ast.hpp"
#include "builder/dockerfile/syntax.hpp"

// The parser's second step, inside of the room: what a node means. Errors are Error{usage} without a place.
namespace kiln::dockerfile {

// Any instruction but FROM; throws for one that does not exist.
Instruction instruction_of_node(const Node& node);
Stage stage_of_node(const Node& node);

}  // namespace kiln::dockerfile
