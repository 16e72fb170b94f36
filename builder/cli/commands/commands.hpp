#pragma once

#include "builder/cli/words/arguments.hpp"

namespace kiln::cli {

// Every command of kiln: its words and its handler. One source file each, NAME_command.cpp.
void add_commands(Arguments& root);

void add_advise_command(Arguments& root);
void add_bake_command(Arguments& root);
void add_baseline_command(Arguments& root);
void add_build_command(Arguments& root);
void add_cache_command(Arguments& root);
void add_check_command(Arguments& root);
void add_ci_command(Arguments& root);
void add_completion_command(Arguments& root);
void add_compose_command(Arguments& root);
void add_copy_command(Arguments& root);
void add_diff_command(Arguments& root);
void add_digest_command(Arguments& root);
void add_doctor_command(Arguments& root);
void add_help_command(Arguments& root);
void add_history_command(Arguments& root);
void add_images_command(Arguments& root);
void add_index_command(Arguments& root);
void add_init_command(Arguments& root);
void add_inspect_command(Arguments& root);
void add_layers_command(Arguments& root);
void add_lock_command(Arguments& root);
void add_login_command(Arguments& root);
void add_logout_command(Arguments& root);
void add_ls_command(Arguments& root);
void add_manual_command(Arguments& root);
void add_matrix_command(Arguments& root);
void add_plan_command(Arguments& root);
void add_policy_command(Arguments& root);
void add_profile_command(Arguments& root);
void add_prune_command(Arguments& root);
void add_pull_command(Arguments& root);
void add_push_command(Arguments& root);
void add_release_command(Arguments& root);
void add_report_command(Arguments& root);
void add_rollback_command(Arguments& root);
void add_sbom_command(Arguments& root);
void add_schema_command(Arguments& root);
void add_sign_command(Arguments& root);
void add_tag_command(Arguments& root);
void add_test_command(Arguments& root);
void add_untag_command(Arguments& root);
void add_verify_command(Arguments& root);
void add_version_command(Arguments& root);
void add_why_command(Arguments& root);

}  // namespace kiln::cli
