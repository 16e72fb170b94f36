#pragma once

#include "builder/cli/arguments.hpp"

namespace kiln::cli {

// Every command of kiln: its words and its handler. One source file each, NAME_command.cpp.
void add_commands(Arguments& root);

void add_bake_command(Arguments& root);
void add_baseline_command(Arguments& root);
void add_build_command(Arguments& root);
void add_lock_command(Arguments& root);
void add_version_command(Arguments& root);

}  // namespace kiln::cli
