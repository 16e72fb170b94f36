#pragma once

#include <compare>
#include <set>
#include <string>

#include "registry/oci/digest.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

// Something that a stage is made of and that no step of the build makes: what SLSA's provenance calls a resolved
// dependency. Neither a credential nor a path of this machine is in it.
struct Material {
  std::string uri;     // of an image and a package its package URL, else the URL without user and query
  std::string digest;  // "sha256:HEX", "sha1:HEX" of a commit; empty where it is not known

  auto operator<=>(const Material&) const = default;
};

// Each once, in one order whatever the order of the stages was.
using Materials = std::set<Material>;

// An image as BuildKit names it: "pkg:docker/library/alpine@3.20?platform=linux%2Famd64". `reference` is what people
// wrote, "oci-layout://FOLDER" too, of which nothing but the digest is told.
Material image_material(const std::string& reference, const oci::Digest& manifest, const oci::Platform& platform);
// The file behind a URL, and the commit that a git source came to.
Material url_material(const std::string& url, const oci::Digest& content);
Material git_material(const std::string& remote, const std::string& commit);

}  // namespace kiln
