#include "builder/cli/images/opened_image.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/images/found_image.hpp"
#include "builder/layer/index_layer.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln::cli {

namespace {

// Whether the blob was read here before, and its index is still there. What a config says a blob holds is no more than
// a claim.
bool is_indexed(const ContentStore& store, const oci::Descriptor& blob) {
  const auto info = blob_info(store, blob.digest);
  return info && index_of_layer(store, info->diff_id);
}

PulledImage pull_documents(RegistrySession& session, const oci::Reference& reference, const std::string& platform) {
  PulledImage image = pull_image(session.remote(), session.store(), reference,
                                 platform.empty() ? oci::Platform::host() : oci::Platform::parse(platform),
                                 PullWhat::manifests, &session.transfers());
  PulledImage unknown = image;
  std::erase_if(unknown.parsed.layers,
                [&](const oci::Descriptor& layer) { return is_indexed(session.store(), layer); });
  fetch_layers(session.remote(), session.store(), unknown, &session.transfers());
  return image;
}

// Fills in what the documents of an image lead to.
void read_indexes(ContentStore& store, ThreadPool& pool, OpenedImage& image, const CancelToken& cancel) {
  image.config =
      oci::parse_image_config(store.read(image.parsed.config.digest), fmt::format("config of '{}'", image.name));
  if (image.config.diff_ids.size() != image.parsed.layers.size()) {
    throw Error(Category::network, fmt::format("image '{}': its manifest has {} layers and its config {}", image.name,
                                               image.parsed.layers.size(), image.config.diff_ids.size()));
  }
  IndexCache indexes(store);
  std::vector<std::shared_ptr<const FileIndex>> layers;
  for (std::size_t i = 0; i < image.parsed.layers.size(); ++i) {
    const IndexedLayer layer = index_layer(store, pool, image.parsed.layers[i], image.config.diff_ids[i], cancel);
    layers.push_back(indexes.load(layer.index));
  }
  image.files = MergedView(std::move(layers));
}

}  // namespace

void add_open_words(Arguments& command, OpenWords& words) {
  command.option("--platform", words.platform, "of this platform's images (default: this machine's)")
      .flag("--local", words.local, "images of the store")
      .option("--progress", words.progress, "auto, tty, plain, verbose, quiet or rawjson")
      .flag("-q,--quiet", words.quiet, "show no progress");
}

OpenedImage open_image(RegistrySession& session, ThreadPool& pool, const std::string& word, const OpenWords& words,
                       const CancelToken& cancel) {
  OpenedImage image;
  ContentStore& store = session.store();
  if (words.local) {
    const FoundImage found = find_image({word, words.platform, true}, cancel);
    image.name = found.name;
    image.manifest = found.manifest;
    image.parsed = found.parsed;
  } else {
    const oci::Reference reference = oci::Reference::parse(word);
    const PulledImage pulled = pull_documents(session, reference, words.platform);
    image.name = reference.str();
    image.manifest = pulled.manifest;
    image.parsed = pulled.parsed;
    image.source = pulled.source;
  }
  read_indexes(store, pool, image, cancel);
  return image;
}

OpenedImage open_documents(RegistrySession& session, ThreadPool& pool, const std::string& name,
                           const oci::Descriptor& manifest, const std::optional<RemoteRepository>& source,
                           const CancelToken& cancel) {
  ContentStore& store = session.store();
  OpenedImage image;
  image.name = name;
  image.manifest = manifest;
  image.source = source;
  image.parsed = oci::parse_manifest(store.read(manifest.digest), fmt::format("manifest of '{}'", name));
  for (const oci::Descriptor& layer : image.parsed.layers) {
    if (!is_indexed(store, layer)) fetch_blob(session.remote(), store, layer, source, &session.transfers());
  }
  read_indexes(store, pool, image, cancel);
  return image;
}

std::optional<OpenedImage> open_stored_image(ContentStore& store, ThreadPool& pool, const std::string& name,
                                             const oci::Digest& manifest, const CancelToken& cancel) {
  if (!store.has(manifest)) return std::nullopt;
  OpenedImage image;
  image.name = name;
  const std::string bytes = store.read(manifest);
  image.manifest.digest = manifest;
  image.manifest.size = bytes.size();
  image.parsed = oci::parse_manifest(bytes, fmt::format("manifest of '{}'", name));
  const auto is_here = [&](const oci::Descriptor& blob) { return store.has(blob.digest); };
  const bool is_whole =
      is_here(image.parsed.config) && std::all_of(image.parsed.layers.begin(), image.parsed.layers.end(), is_here);
  if (!is_whole) return std::nullopt;
  read_indexes(store, pool, image, cancel);
  return image;
}

}  // namespace kiln::cli
