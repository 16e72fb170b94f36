#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "registry/oci/digest.hpp"

namespace kiln::oci {

// The name of an image, as docker reads it (distribution/reference, "Grammar"): [registry/]repository[:tag][@digest].
//
// Invariants: registry and repository are never empty and valid; names without a registry belong to docker.io, and
// there to library/ where they have one component ("busybox" is docker.io/library/busybox).
struct Reference {
  std::string registry;    // host[:port]
  std::string repository;  // path below the registry, lower case
  std::optional<std::string> tag;
  std::optional<Digest> digest;

  // Error{usage} that says what is wrong and where.
  static Reference parse(std::string_view text);
  // nullopt for what parse() refuses.
  static std::optional<Reference> parse_if_valid(std::string_view text);

  // The tag, or "latest" where there is neither tag nor digest.
  std::string tag_or_latest() const;
  // "registry/repository".
  std::string name() const { return registry + "/" + repository; }
  // The same as docker prints it: without docker.io, and without library there.
  std::string familiar_name() const;
  // The full form: registry/repository[:tag][@digest], with ":latest" where nothing was said.
  std::string str() const;
  // What a manifest is asked for by: the digest where there is one, else the tag.
  std::string manifest_key() const;

  Reference with_tag(std::string new_tag) const;
  Reference with_digest(Digest new_digest) const;

  bool operator==(const Reference&) const = default;
};

// localhost, 127.0.0.0/8 or ::1, with or without a port: registries that are asked over plain http.
bool is_loopback_registry(std::string_view registry);

// A name that an image is to get: Error{usage} for one with a digest, which comes out of the build and is not given.
Reference parse_new_name(std::string_view text);

bool is_valid_tag(std::string_view tag);
// Whether a registry that is named by host can have a repository of this name.
bool is_valid_repository(std::string_view name);

}  // namespace kiln::oci
