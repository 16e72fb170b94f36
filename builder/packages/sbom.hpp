#pragma once

#include <string>

#include "base/clock.hpp"
#include "builder/packages/image_packages.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

// What a bill of materials is about and by whom.
struct SbomSubject {
  std::string name;        // "ghcr.io/acme/app:1"
  std::string repository;  // "ghcr.io/acme/app"; empty: it has none
  std::string tag;         // empty: it is known by digest alone
  oci::Digest manifest;    // of the platform's image
  oci::Platform platform;
  UnixSeconds created = kReproducibleEpoch;
  std::string tool_version;
};

// SPDX 2.3 and CycloneDX 1.6, as JSON that ends with a newline. Of the same subject and packages the same bytes: names
// and numbers that must be unique are made of digests.
std::string spdx_json(const SbomSubject& subject, const ImagePackages& packages);
std::string cyclonedx_json(const SbomSubject& subject, const ImagePackages& packages);

// When the image says that it was made, else the time of reproducible builds: never now.
UnixSeconds stated_creation(const oci::ImageConfig& config);

// The package URL of the image: "pkg:oci/app@sha256:...?arch=amd64&repository_url=ghcr.io/acme/app&tag=1".
std::string image_url(const SbomSubject& subject);
// "deb-libc6-0123456789ab": a name that a package has in one document, of letters, digits, '.' and '-'.
std::string element_name(const Package& package);

}  // namespace kiln
