
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/words/words.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

struct PullWords {
  std::string reference;
  std::string platform;
  std::optional<std::string> progress;
  bool quiet = false;
  bool json = false;
};

// As docker has it: --platform, else DOCKER_DEFAULT_PLATFORM.
oci::Platform wanted_platform(const std::string& word) {
  if (!word.empty()) return oci::Platform::parse(word);
  const std::vector<oci::Platform> defaults = wanted_platforms({});
  if (defaults.size() > 1)
    throw Error(Category::usage,
                "DOCKER_DEFAULT_PLATFORM names several platforms, of which one is pulled; say it with --platform");
  return defaults.empty() ? oci::Platform::host() : defaults.front();
}

int run_pull(const PullWords& words, const CancelToken& cancel) {
  const oci::Reference reference = oci::Reference::parse(words.reference);
  const oci::Platform platform = wanted_platform(words.platform);
  RegistrySession session(words.progress, words.quiet, cancel);
  const PulledImage image =
      pull_image(session.remote(), session.store(), reference, platform, PullWhat::layers, &session.transfers());
  // The name means one platform's image here: the others of an index were not fetched.
  const NamedImage named{reference.str(), image.manifest};
  session.store().sync();
  publish_images(session.store(), {&named, 1});
  const std::uint64_t pulled_bytes = session.remote().stats().pulled_bytes;
  session.end_progress();
  if (words.json) {
    print_json(nlohmann::json{{"name", named.name},
                              {"digest", image.manifest.digest.str()},
                              {"platform", image.config.platform.str()},
                              {"source", image.source.name()},
                              {"pulled_bytes", pulled_bytes}});
  } else {
    print_text(fmt::format("{}@{}\n", reference.name(), image.manifest.digest.str()));
  }
  return 0;
}

}  // namespace

void add_pull_command(Arguments& root) {
  const auto words = std::make_shared<PullWords>();
  root.command("pull", "Fetch an image from its registry into the store.")
      .required_positional("REF", words->reference, "the image")
      .option("--platform", words->platform, "platform to fetch (default: this machine's)")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .flag("-q,--quiet", words->quiet, "show no progress")
      .flag("--json", words->json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_pull(*words, cancel); });
}

}  // namespace kiln::cli
