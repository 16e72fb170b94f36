#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln::cli {

namespace {

int run_ls(const std::string& repository, bool as_json, const CancelToken& cancel) {
  const oci::Reference reference = oci::Reference::parse(repository);
  if (reference.tag || reference.digest) {
    throw Error(Category::usage, fmt::format("'{}' names one image; a repository such as '{}' was expected",
                                             reference.str(), reference.name()));
  }
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const auto tags = session->client_for(reference).list_tags(session->repository_of(reference).repository);
  if (as_json) {
    print_json(nlohmann::json{{"repository", reference.name()}, {"tags", tags}});
  } else {
    for (const std::string& tag : tags) fmt::print("{}\n", printable(tag));
  }
  return 0;
}

}  // namespace

void add_ls_command(Arguments& root) {
  const auto repository = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  root.command("ls", "List the tags of a repository.")
      .required_positional("REPO", *repository, "registry/repository")
      .flag("--json", *json, "as JSON")
      .handler([repository, json](const CancelToken& cancel) { return run_ls(*repository, *json, cancel); });
}

}  // namespace kiln::cli
