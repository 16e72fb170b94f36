#include "builder/build/places.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "builder/build/attachment.hpp"
#include "builder/build/image_push.hpp"
#include "builder/build/push_signing.hpp"
#include "builder/solve/exporter.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"

namespace kiln {

namespace {

// The docker of this machine where its daemon answers, else the podman.
const char* find_engine(Workshop& shop) {
  const bool has_podman = find_program("podman").has_value();
  if (!find_program("docker")) {
    if (has_podman) return "podman";
    throw Error(Category::machine,
                "--load: neither docker nor podman is installed; use --output type=docker,dest=FILE");
  }
  // A docker program may be there without a daemon, beside a podman that needs none.
  if (!has_podman || run_command({{"docker", "version"}, {}, {}, {}}, shop.cancel()).exit_code == 0) return "docker";
  shop.recorder().warn("--load: no docker daemon answers; loading into podman");
  return "podman";
}

ExportedImages exported_images(const ContentStore& store, const Delivery& delivery) {
  ExportedImages exported{delivery.root, {}, {}};
  for (const BuiltImage& built : delivery.images) exported.images.push_back(&built.image);
  for (const oci::Descriptor& manifest : delivery.attestation_manifests) {
    const std::vector<oci::Descriptor> blobs = closure_of(store, manifest);
    exported.beside.insert(exported.beside.end(), blobs.begin(), blobs.end());
  }
  return exported;
}

}  // namespace

oci::Descriptor index_of(ContentStore& store, std::vector<oci::Descriptor> manifests, const Output& output,
                         const std::vector<oci::Descriptor>& attestations) {
  oci::Index index;
  index.media_type = output.oci_media_types ? oci::media_type::kOciIndex : oci::media_type::kDockerManifestList;
  index.annotations = annotations_at(output.annotations, AnnotationPlace::index);
  for (oci::Descriptor& manifest : manifests) {
    manifest.annotations.merge(
        annotations_at(output.annotations, AnnotationPlace::manifest_descriptor, *manifest.platform));
    index.manifests.push_back(std::move(manifest));
  }
  index.manifests.insert(index.manifests.end(), attestations.begin(), attestations.end());
  oci::Descriptor root = store.put(serialise(index), index.media_type, Durability::ephemeral);
  root.annotations = annotations_at(output.annotations, AnnotationPlace::index_descriptor);
  return root;
}

oci::Descriptor root_of(ContentStore& store, const std::vector<BuiltImage>& images, const Output& output) {
  std::vector<oci::Descriptor> manifests;
  for (const BuiltImage& built : images) manifests.push_back(built.image.manifest);
  if (manifests.size() > 1) return index_of(store, std::move(manifests), output);
  oci::Descriptor root = std::move(manifests.front());
  root.annotations.merge(
      annotations_at(output.annotations, AnnotationPlace::manifest_descriptor, images[0].image.image.platform));
  return root;
}

oci::Descriptor index_of_images(ContentStore& store, const std::vector<BuiltImage>& images, const Output& output,
                                const std::vector<oci::Descriptor>& attestations) {
  std::vector<oci::Descriptor> manifests;
  for (const BuiltImage& built : images) {
    manifests.push_back(built.image.manifest);
    manifests.back().platform = built.image.image.platform;
  }
  return index_of(store, std::move(manifests), output, attestations);
}

Blocked WorkshopPlaces::verify_layers(const Delivery& delivery) {
  Blocked lost;
  for (const BuiltImage& built : delivery.images) {
    for (const ImageLayer& layer : built.image.layers) {
      const OrBlocked<LayerBlob> blob = shop_.layers().blobs().checked(layer);
      if (blob.is_blocked()) lost.add(blob.blocked());
    }
  }
  return lost;
}

void WorkshopPlaces::load_into_engine(const Delivery& delivery) {
  const char* engine = find_engine(shop_);
  const TempDir folder;
  Output output = delivery.output;
  output.destination = (folder.path() / "image.tar").native();
  export_archive(shop_.layers(), exported_images(shop_.store(), delivery), output, delivery.names, STDOUT_FILENO);
  const CommandResult result =
      run_command({{engine, "load", "-q", "-i", output.destination}, {}, {}, {}}, shop_.cancel());
  if (result.exit_code == 0) return;
  Error error(Category::machine, fmt::format("--load: '{} load' failed with exit code {}", engine, result.exit_code));
  error.set_detail(result.stderr_bytes);
  throw error;
}

void WorkshopPlaces::write_files(const Delivery& delivery) {
  std::vector<ExportedFiles> exported;
  for (const BuiltImage& built : delivery.images) {
    ExportedFiles files{&built.image.layers, ""};
    if (delivery.output.platform_split.value_or(delivery.images.size() > 1)) {
      files.folder = built.image.image.platform.str();
      std::replace(files.folder.begin(), files.folder.end(), '/', '_');
    }
    exported.push_back(std::move(files));
  }
  const ExportedLess less = export_files(shop_.layers(), exported, delivery.output, mtime_, STDOUT_FILENO);
  if (less.devices != 0)
    shop_.recorder().warn(
        fmt::format("'{}' is without {} of the image", delivery.output.destination, count_of(less.devices, "device")));
  if (less.set_ids != 0) {
    shop_.recorder().warn(
        fmt::format("'{}' has {} without set-user-ID and set-group-ID bits: what belongs to you would lend your "
                    "rights; type=tar keeps them",
                    delivery.output.destination, count_of(less.set_ids, "program")));
  }
}

void WorkshopPlaces::export_images(const Delivery& delivery) {
  if (delivery.output.load) return load_into_engine(delivery);
  const bool is_archive = delivery.output.type == OutputType::oci || delivery.output.type == OutputType::docker;
  if (!is_archive) return write_files(delivery);
  export_archive(shop_.layers(), exported_images(shop_.store(), delivery), delivery.output, delivery.names,
                 STDOUT_FILENO);
}

std::vector<PushEnd> WorkshopPlaces::push(const std::vector<const Delivery*>& deliveries) {
  std::vector<PushedImages> pushed;
  for (const Delivery* delivery : deliveries) {
    PushedImages& one = pushed.emplace_back(PushedImages{&delivery->images, delivery->root, delivery->names});
    if (!delivery->output.push_by_digest) continue;
    for (std::string& name : one.names) name = oci::Reference::parse(name).name() + "@" + one.root.digest.str();
  }
  std::vector<PushEnd> ends = ImagePush(shop_).push(pushed);
  Attachment(shop_).attach(deliveries, ends);
  if (sign_key_) sign_pushed(shop_, *sign_key_, pushed, ends);
  return ends;
}

void WorkshopPlaces::name_in_store(const std::vector<const Delivery*>& deliveries) {
  std::vector<NamedImage> named;
  for (const Delivery* delivery : deliveries) {
    // What was pushed may have layers that nothing needed here.
    if (delivery->output.push && !missing_blobs(shop_.store(), delivery->root).empty()) continue;
    for (const std::string& name : delivery->names)
      named.push_back({oci::Reference::parse(name).str(), delivery->root});
  }
  publish_images(shop_.store(), named);
}

}  // namespace kiln
