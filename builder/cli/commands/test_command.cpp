#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/build/workshop.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/fleet_images.hpp"
#include "builder/run/container_run.hpp"
#include "builder/run/shown_folders.hpp"
#include "builder/steps/users.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

struct TestWords {
  std::string reference;
  std::string platform;
  int timeout_s = 60;
  bool local = false;
  bool pull = false;
  bool json = false;
  std::string network = "none";
  std::optional<std::string> progress;
};

struct TestedImage {
  BaseImage image;
  oci::Digest digest;
  std::string place;  // "the store", or the registry's repository
};

TestedImage find_tested_image(Workshop& shop, const TestWords& words, const std::string& name_or_reference) {
  const oci::Platform platform = words.platform.empty() ? oci::Platform::host() : oci::Platform::parse(words.platform);
  const oci::Reference reference = oci::Reference::parse(name_or_reference);
  if (!words.pull) {
    for (const std::string& name : {reference.str(), name_or_reference}) {
      if (const auto root = find_image(shop.store(), name)) {
        return {stored_image(shop.store(), *root, platform, name), root->digest, "the store"};
      }
    }
    if (words.local)
      throw Error(Category::usage,
                  fmt::format("the store has no image '{}'; 'kiln images' lists those it has", reference.str()));
  }
  const PulledImage pulled = pull_image(shop.remote().get(), shop.store(), reference, platform, PullWhat::layers);
  return {stored_image(shop.store(), pulled.manifest, platform, reference.str()), pulled.manifest.digest,
          pulled.source.name()};
}

RunNetwork network_of(const std::string& word) {
  if (word == "none") return RunNetwork::none;
  if (word == "host") return RunNetwork::host;
  throw Error(Category::usage,
              fmt::format("--network: unknown network '{}'{}", printable(word), suggestion(word, {"none", "host"})));
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::healthy:
      return "healthy";
    case Health::unhealthy:
      return "unhealthy";
    case Health::exited:
      return "exited";
    case Health::no_check:
      return "running, without a HEALTHCHECK";
  }
  return "";
}

struct Verdict {
  TestedImage tested;
  HealthVerdict health;
  std::string output;

  bool is_well() const { return health.health == Health::healthy || health.health == Health::no_check; }
};

nlohmann::json to_json(const Verdict& verdict) {
  nlohmann::json document = {{"name", verdict.tested.image.reference},
                             {"digest", verdict.tested.digest.str()},
                             {"from", verdict.tested.place},
                             {"health", to_string(verdict.health.health)},
                             {"seconds", verdict.health.seconds},
                             {"checks", verdict.health.checks},
                             {"check_output", verdict.health.check_output},
                             {"output", verdict.output}};
  document["exit_code"] = verdict.health.exit_code ? nlohmann::json(*verdict.health.exit_code) : nlohmann::json();
  return document;
}

void print_verdict(const Verdict& verdict) {
  print_text(fmt::format("{}@{} from {}: {}", verdict.tested.image.reference, verdict.tested.digest.short_hex(),
                         verdict.tested.place, to_string(verdict.health.health)));
  if (verdict.health.exit_code) print_text(fmt::format(" with exit code {}", *verdict.health.exit_code));
  print_text(fmt::format(" after {} and {}\n", human_seconds(verdict.health.seconds),
                         count_of(static_cast<std::size_t>(verdict.health.checks), "check")));
  const auto show = [](std::string_view title, const std::string& text) {
    if (trim(text).empty()) return;
    print_text(fmt::format("{}:\n", title));
    for (const std::string_view line : split(trim(text), '\n')) print_text(fmt::format("  {}\n", printable(line)));
  };
  show("the last check printed", verdict.health.check_output);
  show("the container printed", verdict.output);
}

Verdict test_image(Workshop& shop, const TestWords& words, const std::string& name, const CancelToken& cancel) {
  RunRequest request;
  request.network = network_of(words.network);
  TestedImage tested = find_tested_image(shop, words, name);
  const ResolvedUser user =
      resolve_user(tested.image.config.config.user, still_there(shop.layers().view(tested.image.layers)));
  const SnapshotChain chain = still_there(shop.layers().folders().of(tested.image.layers));
  const SnapshotUpper upper = shop.snapshots().begin_upper();
  request.lowers = shown_folders(chain, still_there(shop.layers().view(tested.image.layers)));
  request.upper = upper.folders();
  request.uid = user.uid;
  request.gid = user.gid;
  request.groups = user.groups;
  request.hostname = "kiln-test";
  apply_image_config(request, tested.image.config);
  RunningContainer container = RunningContainer::start(shop.runner(), shop.store().home(), request);
  HealthVerdict health = wait_for_health(container, tested.image.config, words.timeout_s * 1000, cancel);
  std::string output = container.last_output();
  container.kill();
  return {std::move(tested), std::move(health), std::move(output)};
}

int run_test(const TestWords& words, const CancelToken& cancel) {
  if (words.timeout_s <= 0) throw Error(Category::usage, "--timeout: expected a number of seconds above zero");
  network_of(words.network);
  const std::vector<NamedByWord> images = images_of_word(words.reference);
  const BuildSurroundings surroundings = surroundings_of({words.progress, false}, cancel);
  Workshop shop({}, surroundings, SecretValues());
  std::vector<Verdict> verdicts;
  for (const NamedByWord& image : images) verdicts.push_back(test_image(shop, words, image.reference, cancel));
  shop.end_progress();
  nlohmann::json documents = nlohmann::json::array();
  bool is_well = true;
  for (const Verdict& verdict : verdicts) {
    is_well = is_well && verdict.is_well();
    if (words.json) {
      documents.push_back(to_json(verdict));
    } else {
      print_verdict(verdict);
    }
  }
  if (words.json) {
    const nlohmann::json& document = documents.size() == 1 ? documents.front() : documents;
    print_json(document);
  }
  return is_well ? 0 : 1;
}

}  // namespace

void add_test_command(Arguments& root) {
  const auto words = std::make_shared<TestWords>();
  root.command("test", "Start an image, wait for its HEALTHCHECK, and say by the exit code whether it is healthy.")
      .required_positional(
          "REF", words->reference,
          "the image, of the store or else of its registry; an image of the fleet here is each of its profiles")
      .option("--timeout", words->timeout_s, "seconds until it must be healthy (default 60)")
      .option("--platform", words->platform, "of this platform's image, where the name refers to several")
      .option("--network", words->network, "none (default: a network of its own) or host")
      .flag("--local", words->local, "ask no registry")
      .flag("--pull", words->pull, "ask the registry even where the store knows the name")
      .flag("--json", words->json, "print the verdict as JSON")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .handler([words](const CancelToken& cancel) { return run_test(*words, cancel); });
}

}  // namespace kiln::cli
