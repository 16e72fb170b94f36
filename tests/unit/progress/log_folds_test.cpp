#include "builder/cli/progress/log_folds.hpp"

#include <doctest/doctest.h>

#include <map>

using kiln::LogFolds;

namespace {

LogFolds in(std::map<std::string, std::string> environment) {
  return LogFolds::of_environment([&](const std::string& name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

}  // namespace

TEST_CASE("the services that fold are known by what they set") {
  CHECK(in({{"GITHUB_ACTIONS", "true"}}).folded("n", "t", "", 0).starts_with("::group::t\n"));
  CHECK(in({{"GITLAB_CI", "true"}}).folded("n", "t", "", 0).find("section_start:0:n") != std::string::npos);
  CHECK(in({{"TF_BUILD", "True"}}).folded("n", "t", "", 0).starts_with("##[group]t\n"));
  CHECK_FALSE(in({{"CI", "true"}}).can_fold());
  CHECK_FALSE(in({{"GITHUB_ACTIONS", "false"}}).can_fold());
}

TEST_CASE("in a group GitHub obeys nothing until a word that only kiln knows") {
  const LogFolds folds(LogFolds::Service::github, "secret");
  CHECK(folds.folded("kiln_3", "#3 DONE", "#3 0.1 a\n", 0) ==
        "::group::#3 DONE\n::stop-commands::secret\n#3 0.1 a\n::secret::\n::endgroup::\n");
  CHECK(in({{"GITHUB_ACTIONS", "true"}, {"KILN_LOG_TOKEN", "secret"}}).folded("kiln_3", "#3 DONE", "#3 0.1 a\n", 0) ==
        "::secret::\n::group::#3 DONE\n::stop-commands::secret\n#3 0.1 a\n::secret::\n::endgroup::\n"
        "::stop-commands::secret\n");
  CHECK(in({{"GITHUB_ACTIONS", "true"}}).folded("n", "t", "", 0) !=
        in({{"GITHUB_ACTIONS", "true"}}).folded("n", "t", "", 0));
}

TEST_CASE("a section of GitLab is collapsed and ends under its name") {
  CHECK(LogFolds(LogFolds::Service::gitlab).folded("kiln_3", "#3 DONE", "#3 0.1 a\n", 7) ==
        "\x1b[0Ksection_start:7:kiln_3[collapsed=true]\r\x1b[0K#3 DONE\n#3 0.1 a\n"
        "\x1b[0Ksection_end:7:kiln_3\r\x1b[0K\n");
}

TEST_CASE("a line that would be an order to the service is text") {
  const LogFolds github(LogFolds::Service::github, "t");
  CHECK(github.inert("  ::add-mask::x") == "  : :add-mask: :x");
  CHECK(github.inert("#3 RUN echo ##[error]x ##[y") == "#3 RUN echo # #[error]x # #[y");
  CHECK(github.inert("std::string") == "std::string");
  const LogFolds azure(LogFolds::Service::azure);
  CHECK(azure.inert("a ##vso[task.setvariable]b") == "a # #vso[task.setvariable]b");
  CHECK(azure.folded("n", "t", "##[endgroup]\n##vso[x]\n", 0) ==
        "##[group]t\n# #[endgroup]\n# #vso[x]\n##[endgroup]\n");
  CHECK(LogFolds(LogFolds::Service::none).inert("::x ##[y]") == "::x ##[y]");
}
