#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/version.hpp"
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
Baseline measured(const ImageLayers& layers, const oci::Digest& manifest, BaselineKind kind, std::string reference) {
  Baseline baseline;
  baseline.kind = kind;
  baseline.reference = std::move(reference);
  baseline.date = format_rfc3339(now_unix_seconds());
  baseline.kiln_version = kVersion;
  baseline.image_digest = manifest;
  for (const ImageLayer& layer : layers) {
    const oci::Descriptor& blob = layer.value.blobs.front().descriptor;
    baseline.layers.push_back({blob.digest, blob.size, layer.value.uncompressed_size});
    baseline.compressed_bytes += blob.size;
    baseline.unpacked_bytes += layer.value.uncompressed_size;
  }
  return baseline;
}

void record(const Fleet& fleet, const std::string& image, const Baseline& baseline) {
  record_baseline(fleet.folder / kBaselinesFileName, image, baseline);
  fmt::print("{}: {} compressed, {} unpacked ({})\n", image, human_bytes(baseline.compressed_bytes),
             human_bytes(baseline.unpacked_bytes), baseline.reference);
}

// What the bytes of before-images are for, of each layer; an image at a registry is not looked into.
void look_into(std::vector<Baseline>& baselines, const std::vector<BuiltImage>& images, const ContentStore& store) {
  IndexCache indexes(store);
  std::vector<std::vector<std::shared_ptr<const FileIndex>>> layers;
  for (const BuiltImage& built : images) {
    layers.emplace_back();
    for (const ImageLayer& layer : built.image.layers) layers.back().push_back(indexes.find(layer.value.diff_id));
  }
  const auto contents = contents_of(layers);
  for (std::size_t i = 0; i < baselines.size(); ++i) {
    if (!contents[i]) continue;
    for (std::size_t layer = 0; layer < baselines[i].layers.size(); ++layer)
      baselines[i].layers[layer].contents = (*contents[i])[layer];
  }
}

int run_baseline(const BaselineWords& words, const CancelToken& cancel) {
  if (!words.registry.empty() && !words.push)
    throw Error(Category::usage, "--registry says where before-images are pushed; add --push");
  LoadFleetOptions options;
  options.working_directory = fs::current_path();
  if (words.file) options.file = *words.file;
  options.environment = environment_variable;
  Fleet fleet = load_fleet(options);
  std::set<std::string> wanted;
  for (const TargetSpec* target : words.images.empty() ? all_targets(fleet) : select_targets(fleet, words.images, {})) {
    if (target->baseline) wanted.insert(target->image);
  }
  if (wanted.empty()) throw Error(Category::usage, "none of the images has a baseline; say what it is in image.json");

  // A legacy Dockerfile is a target like any other; a reference is looked up in its registry.
  std::vector<TargetSpec> legacy;
  std::vector<std::string> legacy_of;  // the image that each is the baseline of
  std::vector<std::pair<std::string, std::string>> references;
  for (const std::string& image : wanted) {
    for (const TargetSpec& target : fleet.targets) {
      if (target.image != image) continue;
      if (auto built = baseline_target(target)) {
        legacy.push_back(std::move(*built));
        legacy_of.push_back(image);
      } else if (!target.baseline->reference.empty()) {
        references.emplace_back(image, target.baseline->reference);
      }
      break;
    }
  }
  const std::size_t first = fleet.targets.size();
  fleet.targets.insert(fleet.targets.end(), legacy.begin(), legacy.end());
  const Plan plan = plan_fleet(fleet, all_targets(fleet), {});
  SessionSettings settings = fleet_session_settings(fleet, words.ca_bundle);
  settings.progress = words.progress;
  BuildSession session(settings, cancel);
  std::vector<std::size_t> numbers;
  for (std::size_t i = first; i < fleet.targets.size(); ++i) numbers.push_back(i);
  const auto images = session.build(
      plan, numbers, [&](const TargetSpec& target) { return fleet_assembly_options(target, settings.times); });
  if (words.push) {
    const std::string place = words.registry.empty() ? fleet.settings.registry_and_namespace() : words.registry;
    std::vector<std::vector<std::string>> names;
    for (const BuiltImage& built : images) names.push_back({place + "/" + built.target->image + ":latest"});
    session.push(images, names);
  }
  session.end_progress();
  std::vector<Baseline> baselines;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const TargetSpec& target = fleet.targets[first + i];
    const std::string dockerfile = target.dockerfile->lexically_proximate(fleet.folder).native();
    baselines.push_back(
        measured(images[i].image.layers, images[i].image.manifest.digest, BaselineKind::dockerfile, dockerfile));
    baselines.back().source_digest = oci::sha256_of(images[i].target->dockerfile_text);
  }
  look_into(baselines, images, session.store());
  for (std::size_t i = 0; i < images.size(); ++i) record(fleet, legacy_of[i], baselines[i]);
  for (const auto& [image, reference] : references) {
    const PulledImage pulled = pull_image(session.remote().get(), session.store(), oci::Reference::parse(reference),
                                          oci::Platform::host(), PullWhat::manifests);
    const BaseImage base = stored_image(session.store(), pulled.manifest, oci::Platform::host(), reference);
    record(fleet, image, measured(base.layers, pulled.manifest.digest, BaselineKind::reference, reference));
  }
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
      .option("--progress", words->progress, "auto, tty, plain, quiet or rawjson")
      .handler([words](const CancelToken& cancel) { return run_baseline(*words, cancel); });
}

}  // namespace kiln::cli
