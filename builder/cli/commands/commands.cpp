#include "builder/cli/commands/commands.hpp"

namespace kiln::cli {

// In the order of the help: what most people come for stands first.
void add_commands(Arguments& root) {
  root.group("Build");
  add_init_command(root);
  add_build_command(root);
  add_bake_command(root);
  add_plan_command(root);
  add_check_command(root);
  add_policy_command(root);
  add_lock_command(root);
  root.group("Explain and measure");
  add_report_command(root);
  add_why_command(root);
  add_advise_command(root);
  add_baseline_command(root);
  add_layers_command(root);
  add_sbom_command(root);
  add_diff_command(root);
  add_history_command(root);
  root.group("Images and registries");
  add_images_command(root);
  add_pull_command(root);
  add_push_command(root);
  add_copy_command(root);
  add_sign_command(root);
  add_verify_command(root);
  add_index_command(root);
  add_tag_command(root);
  add_untag_command(root);
  add_ls_command(root);
  add_digest_command(root);
  add_inspect_command(root);
  add_login_command(root);
  add_logout_command(root);
  root.group("Release and clean up");
  add_test_command(root);
  add_release_command(root);
  add_rollback_command(root);
  add_compose_command(root);
  add_prune_command(root);
  root.group("Definitions and CI");
  add_profile_command(root);
  add_schema_command(root);
  add_matrix_command(root);
  add_ci_command(root);
  root.group("This machine");
  add_cache_command(root);
  add_doctor_command(root);
  add_help_command(root);
  add_completion_command(root);
  add_manual_command(root);
  add_version_command(root);
}

}  // namespace kiln::cli
