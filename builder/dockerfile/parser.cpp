#include "builder/dockerfile/parser.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/dockerfile/directives.hpp"
#include "builder/dockerfile/excerpt.hpp"
#include "builder/dockerfile/instructions.hpp"

namespace kiln::dockerfile {
namespace {

void add_node(const Node& node, Dockerfile& out) {
  if (node.keyword == "from") {
    out.stages.push_back(stage_of_node(node));
    return;
  }
  Instruction instruction = instruction_of_node(node);
  if (!out.stages.empty()) {
    out.stages.back().instructions.push_back(std::move(instruction));
  } else if (std::holds_alternative<Arg>(instruction.body)) {
    out.global_args.push_back(std::move(instruction));
  } else {
    throw Error(Category::usage, fmt::format("{} stands before the first FROM; only ARG may", instruction.keyword));
  }
}

Error placed(const Error& error, std::string_view text, std::string_view file_name, LineRange lines) {
  Error out(error.category(), fmt::format("{}:{}: {}", printable(file_name), lines.first, error.message()));
  out.set_detail(excerpt(text, file_name, lines));
  return out;
}

PartialParse parse_as_docker(std::string_view text, std::string_view file_name) {
  PartialParse out;
  out.dockerfile.file_name = file_name;
  SyntaxTree tree;
  try {
    tree = parse_syntax(text, file_name);
  } catch (const SyntaxError& error) {
    out.error = error;
    out.error_lines = error.lines();
    return out;
  }
  out.dockerfile.directives = tree.directives;
  out.empty_continuations = tree.empty_continuations;
  for (const Node& node : tree.nodes) {
    try {
      add_node(node, out.dockerfile);
    } catch (const Error& error) {
      out.error = placed(error, text, file_name, node.lines);
      out.error_lines = node.lines;
      return out;
    }
  }
  if (out.dockerfile.stages.empty()) {
    out.error = placed(Error(Category::usage, "the file holds no FROM, so there is no stage to build"), text, file_name,
                       tree.nodes.back().lines);
    out.error_lines = tree.nodes.back().lines;
  }
  return out;
}

}  // namespace

PartialParse parse_partially(std::string_view text, std::string_view file_name) {
  PartialParse out = parse_as_docker(text, file_name);
  const auto syntax = detect_syntax(text);
  if (out.error && syntax && !is_docker_front_end(syntax->value)) {
    out.error->add_context(
        fmt::format("in a file whose line {} asks for the front end '{}': kiln runs none and reads "
                    "it as docker/dockerfile",
                    syntax->line, printable(syntax->value)));
  }
  return out;
}

Dockerfile parse(std::string_view text, std::string_view file_name) {
  PartialParse parsed = parse_partially(text, file_name);
  if (parsed.error) throw *parsed.error;
  return std::move(parsed.dockerfile);
}

Instruction parse_trigger(std::string_view text, std::string_view origin, char escape) {
  const auto clause = [&] { return fmt::format("in the ONBUILD trigger '{}' of {}", printable(text), origin); };
  return with_context(clause, [&] {
    std::string file(text);
    if (escape != '\\') file.insert(0, fmt::format("# escape={}\n", escape));
    const SyntaxTree tree = parse_syntax(file, "ONBUILD");
    if (tree.nodes.size() != 1) {
      throw Error(Category::usage, fmt::format("expected one instruction, got {}", tree.nodes.size()));
    }
    Instruction instruction = instruction_of_node(tree.nodes[0]);
    if (instruction.keyword == "ONBUILD" || instruction.keyword == "MAINTAINER") {
      throw Error(Category::usage, fmt::format("{} may not be an ONBUILD trigger", instruction.keyword));
    }
    instruction.lines = {};
    return instruction;
  });
}

}  // namespace kiln::dockerfile
