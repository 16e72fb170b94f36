#include <fmt/format.h>

#include <memory>

#include "builder/cli/commands.hpp"
#include "builder/cli/found_image.hpp"
#include "builder/cli/push_outcome.hpp"
#include "builder/cli/registry_session.hpp"

namespace kiln::cli {

namespace {

struct PushWords {
  std::string reference;
  std::vector<std::string> targets;
  std::optional<std::string> progress;
  bool quiet = false;
  bool json = false;
};

int run_push(const PushWords& words, const CancelToken& cancel) {
  RegistrySession session(words.progress, words.quiet, cancel);
  const NamedImage named = find_in_store(session.store(), words.reference);
  PushRequest request;
  request.root = named.descriptor;
  for (const std::string& target : words.targets) request.targets.push_back(oci::Reference::parse(target));
  if (request.targets.empty()) request.targets.push_back(oci::Reference::parse(named.name));
  const PushOutcome outcome = push_image(session.remote(), session.store(), request, {}, &session.transfers());
  const std::string text = push_outcome_text(outcome, session.remote().stats(), words.json ? OutputFormat::json : OutputFormat::text);
  session.end_progress();
  fmt::print("{}", text);
  return 0;
}

}  // namespace

void add_push_command(Arguments& root) {
  const auto words = std::make_shared<PushWords>();
  root.command("push", "Push an image of the store to a registry.")
      .required_positional("REF", words->reference, "the image's name in the store")
      .positional("TARGET", words->targets, "names to give it at registries (default: REF)")
      .option("--progress", words->progress, "auto, tty, plain, quiet or rawjson")
      .flag("-q,--quiet", words->quiet, "show no progress")
      .flag("--json", words->json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_push(*words, cancel); });
}

}  // namespace kiln::cli
