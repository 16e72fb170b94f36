#include "builder/cli/images/found_image.hpp"

#include <fmt/format.h>

#include <functional>
#include <vector>

#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

// Returns the bytes of a blob or manifest, verified.
using FetchBytes = std::function<std::string(const oci::Descriptor&)>;

void read_documents(FoundImage& image, const std::string& platform_text, const FetchBytes& manifest_bytes,
                    const FetchBytes& blob_bytes) {
  image.manifest = image.root;
  image.manifest_bytes = image.root_bytes;
  if (oci::media_type::is_index(image.root.media_type)) {
    image.index = oci::parse_index(image.root_bytes, fmt::format("index of '{}'", image.name));
    const oci::Platform platform = platform_text.empty() ? oci::Platform::host() : oci::Platform::parse(platform_text);
    const oci::ReadDocument read = [&](const oci::Descriptor& document) {
      const bool is_config =
          !oci::media_type::is_manifest(document.media_type) && !oci::media_type::is_index(document.media_type);
      return is_config ? blob_bytes(document) : manifest_bytes(document);
    };
    auto child = oci::choose_image(*image.index, platform, read, fmt::format("index of '{}'", image.name));
    if (!child) {
      throw Error(Category::network, fmt::format("'{}' has no image for {}; it has: {}", image.name, platform.str(),
                                                 oci::platforms_of(*image.index)));
    }
    image.manifest = std::move(child->descriptor);
    image.manifest_bytes = std::move(child->bytes);
  }
  image.parsed = oci::parse_manifest(image.manifest_bytes, fmt::format("manifest of '{}'", image.name));
  image.config_bytes = blob_bytes(image.parsed.config);
  const std::string& type = image.parsed.config.media_type;
  if (type == oci::media_type::kOciConfig || type == oci::media_type::kDockerConfig) {
    image.config = oci::parse_image_config(image.config_bytes, fmt::format("config of '{}'", image.name));
  }
}

FoundImage find_local(const ImageWords& words) {
  const ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  const NamedImage named = find_in_store(store, words.reference);
  FoundImage image;
  image.name = named.name;
  image.root = named.descriptor;
  image.root_bytes = store.read(image.root.digest);
  const auto read = [&](const oci::Descriptor& blob) { return store.read(blob.digest); };
  read_documents(image, words.platform, read, read);
  return image;
}

FoundImage find_remote(const ImageWords& words, const CancelToken& cancel) {
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const oci::Reference reference = oci::Reference::parse(words.reference);
  RegistryClient client = session->client_for(reference);
  const std::string repository = session->repository_of(reference).repository;
  FoundImage image;
  image.name = reference.str();
  FetchedManifest fetched = client.fetch_manifest(repository, reference.manifest_key());
  image.root = fetched.descriptor;
  image.root_bytes = std::move(fetched.bytes);
  read_documents(
      image, words.platform,
      [&](const oci::Descriptor& child) { return client.fetch_manifest(repository, child.digest.str(), child).bytes; },
      [&](const oci::Descriptor& blob) { return client.fetch_blob_bytes(repository, blob); });
  return image;
}

}  // namespace

std::uint64_t FoundImage::layer_bytes() const {
  std::uint64_t bytes = 0;
  for (const oci::Descriptor& layer : parsed.layers) bytes += layer.size;
  return bytes;
}

FoundImage find_image(const ImageWords& words, const CancelToken& cancel) {
  return words.local ? find_local(words) : find_remote(words, cancel);
}

NamedImage find_in_store(const ContentStore& store, const std::string& reference) {
  if (const auto descriptor = find_image(store, reference)) return {reference, *descriptor};
  const std::string full = oci::Reference::parse(reference).str();
  if (const auto descriptor = find_image(store, full)) return {full, *descriptor};
  std::vector<std::string> names;
  for (const NamedImage& image : named_images(store)) names.push_back(image.name);
  const std::string near = near_hint(full, names);
  throw Error(Category::usage, fmt::format("the store has no image '{}'{}", full,
                                           near.empty() ? "; 'kiln images' lists those it has" : near));
}

}  // namespace kiln::cli
