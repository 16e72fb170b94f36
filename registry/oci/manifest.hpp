#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/descriptor.hpp"

namespace kiln::oci {

// The largest manifest or index that is read, as registries take them (OCI distribution spec, "Pushing Manifests").
inline constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{4} << 20;
// Of an image that is gone through: how deep its indexes nest, and how many manifests and indexes it has.
inline constexpr int kMostIndexNesting = 4;
inline constexpr std::size_t kMostImageDocuments = 1000;

// When what a manifest describes was made, as RFC 3339 writes it (OCI image spec, annotations.md).
inline constexpr char kCreatedAnnotation[] = "org.opencontainers.image.created";

// An image manifest (OCI image spec, manifest.md; docker schema 2). Written with kiln's own bytes by serialise();
// what others wrote is kept byte for byte by the code that fetched it, since its digest is that of its bytes.
struct Manifest {
  std::string media_type = media_type::kOciManifest;
  std::string artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  Annotations annotations;
};

// An image index (OCI image spec, image-index.md; docker manifest list).
struct Index {
  std::string media_type = media_type::kOciIndex;
  std::string artifact_type;
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  Annotations annotations;
};

// Error{network} naming `where` for anything that is not such a document: duplicate keys, both "layers" and
// "manifests", digests or sizes that are none, a media type that contradicts the fields.
Manifest parse_manifest(std::string_view text, std::string_view where);
Index parse_index(std::string_view text, std::string_view where);

// Deterministic JSON, keys in the specification's order, no spaces.
std::string serialise(const Manifest& manifest);
std::string serialise(const Index& index);

// The text of an index that parse_index() has read, with one more entry at its end. All else stands there as it was,
// what kiln does not know included.
std::string index_text_with(std::string_view index_text, const Descriptor& entry);

// The media type a manifest or index text claims, by its "mediaType" or, where that is missing, by its fields.
std::string detect_media_type(std::string_view text, std::string_view where);

// The image of a platform in an index, with its manifest's bytes.
struct ChosenImage {
  Descriptor descriptor;  // its digest is a sha256, whatever the index names it by
  std::string bytes;
};

// Reads what a descriptor names: a manifest, an index or a config, verified.
using ReadDocument = std::function<std::string(const Descriptor&)>;

// The image for a platform: of the entries that name one the nearest (Platform::distance_to), else of those that name
// none the one whose config does (OCI image spec, image-index.md: "platform" is optional). Indexes in an index are
// followed. nullopt where there is none; Error{network} naming `where` for what is nested too deeply or too large.
std::optional<ChosenImage> choose_image(const Index& index, const Platform& platform, const ReadDocument& read,
                                        std::string_view where);

// "linux/amd64, linux/arm64 and 2 that name no platform", "none": for messages. Attestations are left out.
std::string platforms_of(const Index& index);

}  // namespace kiln::oci
