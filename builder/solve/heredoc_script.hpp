#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/dockerfile/ast.hpp"

namespace kiln {

inline constexpr char kHeredocFolder[] = "/dev/pipes";

// What a RUN with heredocs hands to the shell.
struct HeredocScript {
  std::string shell_text;
  // A script that names its interpreter is a file below kHeredocFolder, executed by its name.
  std::optional<std::string> file_name;
  std::string file_text;
};

// As BuildKit does: `RUN <<EOF` alone runs the text itself, with its own interpreter where it begins with "#!"; any other
// command line is given to the shell with its heredocs, which the shell reads.
HeredocScript heredoc_script(std::string_view command_line, const std::vector<dockerfile::Heredoc>& heredocs);

}  // namespace kiln
