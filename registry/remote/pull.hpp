#pragma once

#include <optional>
#include <string>

#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/transfer_observer.hpp"

namespace kiln {

enum class PullWhat {
  manifests,  // index, manifest and config: enough to plan, to mount and to stream the layers later
  layers,     // all layers too
};

// Of an image that no index offers by platform, and whose config names another one than was asked for.
enum class OtherPlatform { refuse, take };

struct PulledImage {
  oci::Reference reference;                // as asked, with the digest of `root`
  oci::Descriptor root;                    // what the name means: an index or a manifest
  std::optional<std::string> index_bytes;  // where root is an index
  oci::Descriptor manifest;                // of the platform
  oci::Manifest parsed;
  oci::ImageConfig config;
  RemoteRepository source;  // what really served it, maybe a mirror
};

// Resolves a name and fetches the image of one platform. Mirrors are tried in order; what a mirror lacks or
// fails at is asked of the next place (and said in the log). Index, manifest and config go into the store,
// and with PullWhat::layers the layers, several at once; nothing is named in index.json
// (ContentStore::publish does that). The session learns where the blobs are, so that push_images can mount or
// stream layers that were never fetched. Error{network} where the image is missing or has no such platform
// (those it has are listed), or where config and manifest contradict one another.
PulledImage pull_image(RemoteSession& session, ContentStore& store, const oci::Reference& reference,
                       const oci::Platform& platform, PullWhat what, TransferObserver* observer = nullptr,
                       OtherPlatform other = OtherPlatform::refuse);

// The descriptor a name has right now at the registry (or its mirrors), by HEAD; nullopt where it has none.
std::optional<oci::Descriptor> resolve_image(RemoteSession& session, const oci::Reference& reference);

// Fetches one blob into the store from any place that is known to have it, `hint` first. Two threads that ask
// for the same blob at once are one download. Does nothing where the store has it. `pages`: see
// ContentStore::begin_blob().
void fetch_blob(RemoteSession& session, ContentStore& store, const oci::Descriptor& blob,
                const std::optional<RemoteRepository>& hint, TransferObserver* observer = nullptr,
                WriteBehind::Pages pages = WriteBehind::Pages::keep);

// The layers of a pulled image, several at once.
void fetch_layers(RemoteSession& session, ContentStore& store, const PulledImage& image,
                  TransferObserver* observer = nullptr);

}  // namespace kiln
