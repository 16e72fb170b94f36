
#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/build/workshop.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/version.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/definitions/select.hpp"
#include "builder/report/baseline.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

namespace {

struct BaselineWords {
  std::vector<std::string> images;
  std::optional<std::string> file;
  bool push = false;
  std::string registry;
  std::string ca_bundle;
  std::optional<std::string> progress;
};

// The sums over an image's layers, and where they came from.
Baseline measured_of(const ImageLayers& layers, const oci::Digest& manifest, BaselineKind kind, std::string reference) {
  Baseline baseline;
  baseline.kind = kind;
  baseline.reference = std::move(reference);
  baseline.date = format_rfc3339(now_unix_seconds());
  baseline.kiln_version = kVersion;
  baseline.image_digest = manifest;
  for (const ImageLayer& layer : layers) {
    const oci::Descriptor& blob = layer.value.blobs.front().descriptor;
    baseline.layers.push_back({blob.digest, blob.size, layer.value.unpacked_bytes});
    baseline.compressed_bytes += blob.size;
    baseline.unpacked_bytes += layer.value.unpacked_bytes;
  }
  return baseline;
}

void record(const Fleet& fleet, const std::string& image, const Baseline& baseline) {
  record_baseline(fleet.folder / kBaselinesFileName, image, baseline);
  print_text(fmt::format("{}: {} compressed, {} unpacked ({})\n", image, human_bytes(baseline.compressed_bytes),
                         human_bytes(baseline.unpacked_bytes), baseline.reference));
}

// What the bytes of before-images are for, of each layer; an image at a registry is not looked into.
// What the bytes of before-images are for, of each layer; an image at a registry is not looked into.
void look_into(std::vector<Baseline>& baselines, const std::vector<BuiltTarget>& targets, const ContentStore& store) {
  IndexCache indexes(store);
  std::vector<std::vector<std::shared_ptr<const FileIndex>>> layers;
  for (const BuiltTarget& built : targets) {
    layers.emplace_back();
    for (const ImageLayer& layer : built.images[0].image.layers)
      layers.back().push_back(indexes.find(layer.value.diff_id));
  }
  const auto contents = contents_of(layers);
  for (std::size_t i = 0; i < baselines.size(); ++i) {
    if (!contents[i]) continue;
    for (std::size_t layer = 0; layer < baselines[i].layers.size(); ++layer)
      baselines[i].layers[layer].contents = (*contents[i])[layer];
  }
}

// What images are measured against: legacy Dockerfiles, which are targets like any other, and references that are
// looked up in their registries.
struct Measured {
  std::vector<TargetSpec> legacy;
  std::vector<std::string> legacy_of;                           // the image that each is the baseline of
  std::vector<std::pair<std::string, std::string>> references;  // image, reference
};

Measured baselines_of(const Fleet& fleet, const std::set<std::string>& wanted) {
  Measured measured;
  for (const std::string& image : wanted) {
    for (const TargetSpec& target : fleet.targets) {
      if (target.image != image) continue;
      if (auto built = baseline_target(target)) {
        // One of its platforms is enough to measure.
        if (built->platforms.size() > 1) built->platforms.resize(1);
        measured.legacy.push_back(std::move(*built));
        measured.legacy_of.push_back(image);
      } else if (!target.baseline->reference.empty()) {
        measured.references.emplace_back(image, target.baseline->reference);
      }
      break;
    }
  }
  return measured;
}

void record_built(const Fleet& fleet, const Measured& measured, const std::vector<BuiltTarget>& targets,
                  const ContentStore& store) {
  std::vector<Baseline> baselines;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const BuiltImage& built = targets[i].images[0];
    const std::string dockerfile = measured.legacy[i].dockerfile->lexically_proximate(fleet.folder).native();
    Baseline& baseline = baselines.emplace_back(
        measured_of(built.image.layers, built.image.manifest.digest, BaselineKind::dockerfile, dockerfile));
    baseline.source_digest = oci::sha256_of(built.target->dockerfile_text);
  }
  look_into(baselines, targets, store);
  for (std::size_t i = 0; i < targets.size(); ++i) record(fleet, measured.legacy_of[i], baselines[i]);
}

void record_references(const Fleet& fleet, const Measured& measured, Workshop& shop) {
  for (const auto& [image, reference] : measured.references) {
    const PulledImage pulled = pull_image(shop.remote().get(), shop.store(), oci::Reference::parse(reference),
                                          oci::Platform::host(), PullWhat::manifests);
    const BaseImage base = stored_image(shop.store(), pulled.manifest, oci::Platform::host(), reference);
    record(fleet, image, measured_of(base.layers, pulled.manifest.digest, BaselineKind::reference, reference));
  }
}

int run_baseline(const BaselineWords& words, const CancelToken& cancel) {
  if (!words.registry.empty() && !words.push)
    throw Error(Category::usage, "--registry says where before-images are pushed; add --push");
  LoadFleetOptions options;
  options.working_directory = fs::current_path();
  if (words.file) options.file = *words.file;
  options.environment = environment_variable;
  const Fleet fleet = load_fleet(options);
  std::set<std::string> wanted;
  for (const TargetSpec* target : words.images.empty() ? all_targets(fleet) : select_targets(fleet, words.images, {})) {
    if (target->baseline) wanted.insert(target->image);
  }
  if (wanted.empty()) throw Error(Category::usage, "none of the images has a baseline; say what it is in image.json");

  const Measured measured = baselines_of(fleet, wanted);
  BuildRequest request;
  request.settings = fleet_build_settings(fleet, words.ca_bundle);
  request.delivery.push = words.push;
  request.is_reported = false;
  const std::string place = words.registry.empty() ? fleet.settings.registry_and_namespace() : words.registry;
  request.fleet = fleet;
  // What was before the fleet is measured as it was; what is pushed keeps the policy.
  if (!words.push) request.fleet.settings.policy = {};
  for (const TargetSpec& legacy : measured.legacy) {
    TargetSpec& target = request.fleet.targets.emplace_back(legacy);
    if (words.push) target.tags = {place + "/" + target.image + ":latest"};
    // What is measured is named nowhere on this machine.
    target.outputs = {words.push ? "type=image,push=true,store=false" : "type=image,store=false"};
    request.targets.push_back(target.name);
  }
  request.fleet.sort();
  BuildSurroundings surroundings = surroundings_of({words.progress, false}, cancel);
  surroundings.on_built = [&](const std::vector<BuiltTarget>& targets, Workshop& shop) {
    record_built(fleet, measured, targets, shop.store());
    record_references(fleet, measured, shop);
  };
  build(request, surroundings);
  return 0;
}

}  // namespace

void add_baseline_command(Arguments& root) {
  const auto words = std::make_shared<BaselineWords>();
  root.command("baseline", "Measure what images weighed before: build their legacy Dockerfiles and record the sizes.")
      .positional("IMAGE", words->images, "images to measure (default: all that have a baseline)")
      .option("-f,--file", words->file, "fleet.json or its folder")
      .flag("--push", words->push, "push the before-images too, as IMAGE-baseline")
      .option("--registry", words->registry, "HOST[:PORT]/NAMESPACE to push them under")
      .option("--ca-bundle", words->ca_bundle, "certificate authorities that RUN trusts: FILE, host or none")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .handler([words](const CancelToken& cancel) { return run_baseline(*words, cancel); });
}

}  // namespace kiln::cli
