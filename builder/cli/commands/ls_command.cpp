#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/retention/repository_contents.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln::cli {

namespace {

struct LsWords {
  std::string repository;
  bool json = false;
  bool all = false;
};

int run_ls(const LsWords& words, const CancelToken& cancel) {
  const oci::Reference reference = oci::Reference::parse(words.repository);
  if (reference.tag || reference.digest) {
    throw Error(Category::usage, fmt::format("'{}' names one image; a repository such as '{}' was expected",
                                             reference.str(), reference.name()));
  }
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  auto tags = session->client_for(reference).list_tags(session->repository_of(reference).repository);
  // They list what hangs on an image, or are cosign's signatures: no names that anybody gave.
  if (!words.all) std::erase_if(tags, [](const std::string& tag) { return digest_in_tag(tag).has_value(); });
  if (words.json) {
    print_json(nlohmann::json{{"repository", reference.name()}, {"tags", tags}});
  } else {
    for (const std::string& tag : tags) fmt::print("{}\n", printable(tag));
  }
  return 0;
}

}  // namespace

void add_ls_command(Arguments& root) {
  const auto words = std::make_shared<LsWords>();
  root.command("ls", "List the tags of a repository.")
      .required_positional("REPO", words->repository, "registry/repository")
      .flag("--all", words->all, "those too that list what is attached to an image (sha256-...)")
      .flag("--json", words->json, "as JSON")
      .handler([words](const CancelToken& cancel) { return run_ls(*words, cancel); });
}

}  // namespace kiln::cli
