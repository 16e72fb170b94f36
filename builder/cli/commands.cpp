#include "builder/cli/commands.hpp"

namespace kiln::cli {

void add_commands(Arguments& root) {
  add_build_command(root);
  add_bake_command(root);
  add_lock_command(root);
  add_baseline_command(root);
  add_version_command(root);
}

}  // namespace kiln::cli
