#include "builder/cli/words/build_surroundings.hpp"

#include <cstdlib>

#include "base/process.hpp"
#include "builder/cli/output/policy_annotations.hpp"
#include "builder/cli/progress/progress.hpp"
#include "builder/cli/version.hpp"

namespace kiln::cli {

BuildSurroundings surroundings_of(const ProgressWords& words, const CancelToken& cancel) {
  ProgressOptions options;
  options.mode =
      words.quiet ? ProgressMode::quiet : parse_progress_mode(words.progress, std::getenv("BUILDKIT_PROGRESS"));
  options.colour = environment_variable("NO_COLOR").value_or("").empty() ? Colour::yes : Colour::no;
  options.folds = LogFolds::of_environment(environment_variable);
  BuildSurroundings surroundings;
  surroundings.open_progress = [options] { return make_progress(options); };
  surroundings.kiln_version = kVersion;
  surroundings.cancel = cancel;
  surroundings.on_policy = annotate_findings;
  return surroundings;
}

}  // namespace kiln::cli
