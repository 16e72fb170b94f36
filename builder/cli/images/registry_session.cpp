#include "builder/cli/images/registry_session.hpp"

#include <cstdlib>

#include "base/process.hpp"
#include "builder/cli/progress/progress.hpp"

namespace kiln::cli {

RegistrySession::RegistrySession(const std::optional<std::string>& progress, bool quiet, CancelToken cancel) {
  ProgressOptions options;
  options.mode = quiet ? ProgressMode::quiet : parse_progress_mode(progress, std::getenv("BUILDKIT_PROGRESS"));
  options.colour = environment_variable("NO_COLOR").value_or("").empty() ? Colour::yes : Colour::no;
  options.folds = LogFolds::of_environment(environment_variable);
  progress_ = make_progress(options);
  store_ = std::make_unique<ContentStore>(HomeLayout::open(HomeLayout::default_root()));
  remote_ = RemoteSession::open(RemoteSettings::from_environment(), *progress_, std::move(cancel));
  transfers_ = std::make_unique<TransferTasks>(*progress_, [this] { return ++last_number_; });
}

RegistrySession::~RegistrySession() = default;

void RegistrySession::end_progress() {
  transfers_.reset();
  remote_.reset();
  progress_.reset();
}

}  // namespace kiln::cli
