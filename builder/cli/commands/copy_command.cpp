#include <fmt/format.h>

#include <memory>

#include "base/count_of.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/attached_artifacts.hpp"
#include "builder/cli/images/image_documents.hpp"
#include "builder/cli/images/image_policy.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/push_outcome.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

namespace {

struct CopyWords {
  std::string source;
  std::string destination;
  std::string platform;
  std::optional<std::string> fleet_policy;
  std::optional<std::string> progress;
  bool only_image = false;
  bool quiet = false;
  bool json = false;
};

oci::Descriptor fetch_source(RegistrySession& session, const oci::Reference& source, const std::string& platform) {
  if (platform.empty()) return fetch_documents(session, source);
  return pull_image(session.remote(), session.store(), source, oci::Platform::parse(platform), PullWhat::manifests)
      .manifest;
}

int run_copy(const CopyWords& words, const CancelToken& cancel) {
  const oci::Reference source = oci::Reference::parse(words.source);
  const oci::Reference destination = oci::Reference::parse(words.destination);
  const FleetPolicy policy = policy_here(words.fleet_policy);
  RegistrySession session(words.progress, words.quiet, cancel);
  const PushRequest request = push_request(fetch_source(session, source, words.platform), {destination});
  if (policy.rules.any()) {
    ImagePolicy images(session, policy, cancel);
    images.check(destination, request.root, session.remote().repository_of(source));
    images.enforce(destination.str());
  }
  const PushOutcome outcome = push_image(session.remote(), session.store(), request, {}, &session.transfers());
  std::size_t attached = 0;
  if (!words.only_image) {
    attached = with_context(
        [&] {
          return fmt::format("'{}' was copied, and what hangs on it was not all copied (--only-image leaves it)",
                             destination.str());
        },
        [&] { return copy_attached(session, source, destination, request.root); });
  }
  const std::string text =
      push_outcome_text(outcome, session.remote().stats(), words.json ? OutputFormat::json : OutputFormat::text);
  session.end_progress();
  print_text(text);
  if (attached != 0 && !words.json)
    print_text(fmt::format("copied {} with it (signatures, SBOMs, attestations)\n", count_of(attached, "artifact")));
  return 0;
}

}  // namespace

void add_copy_command(Arguments& root) {
  const auto words = std::make_shared<CopyWords>();
  Arguments& copy = root.command(
      "copy", "Copy an image, all platforms of it and what hangs on it, from one registry or repository to another.");
  add_fleet_policy_word(copy, words->fleet_policy);
  copy.required_positional("SRC", words->source, "the image")
      .required_positional("DST", words->destination, "the name it gets")
      .option("--platform", words->platform, "copy this platform's image alone")
      .flag("--only-image", words->only_image, "leave signatures and other artifacts that hang on it where they are")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .flag("-q,--quiet", words->quiet, "show no progress")
      .flag("--json", words->json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_copy(*words, cancel); });
}

}  // namespace kiln::cli
