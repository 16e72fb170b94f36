#include "builder/steps/material.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

const oci::Digest kManifest = oci::sha256_of("manifest");

std::string image_uri(const std::string& reference, const std::string& platform = "linux/amd64") {
  return image_material(reference, kManifest, oci::Platform::parse(platform)).uri;
}

}  // namespace

TEST_CASE("an image is named by the package URL that BuildKit gives it") {
  CHECK(image_uri("alpine") == "pkg:docker/alpine@latest?platform=linux%2Famd64");
  CHECK(image_uri("acme/app:1.0") == "pkg:docker/acme/app@1.0?platform=linux%2Famd64");
  CHECK(image_uri("ghcr.io/acme/app:1.0", "linux/arm/v7") ==
        "pkg:docker/ghcr.io/acme/app@1.0?platform=linux%2Farm%2Fv7");
  CHECK(image_uri("127.0.0.1:5000/a") == "pkg:docker/127.0.0.1:5000/a@latest?platform=linux%2Famd64");
  const std::string digest = kManifest.str();
  CHECK(image_uri("alpine@" + digest) == "pkg:docker/alpine?digest=" + digest + "&platform=linux%2Famd64");
  CHECK(image_uri("alpine:3@" + digest) == "pkg:docker/alpine@3?digest=" + digest + "&platform=linux%2Famd64");
  CHECK(image_material("alpine", kManifest, oci::Platform::parse("linux/amd64")).digest == digest);
}

TEST_CASE("of an image layout neither folder nor name is told") {
  CHECK(image_uri("oci-layout:///home/someone/base") == "pkg:oci/image@" + kManifest.str() + "?platform=linux%2Famd64");
}

TEST_CASE("no user, password or query of a URL is in a material") {
  CHECK(url_material("https://user:pass@host/file.tar?token=x", kManifest) ==
        Material{"https://host/file.tar", kManifest.str()});
  const std::string commit(40, 'a');
  CHECK(git_material("https://user:pass@host/app.git", commit) == Material{"https://host/app.git", "sha1:" + commit});
  CHECK(git_material("https://host/app.git", std::string(64, 'b')).digest == "sha256:" + std::string(64, 'b'));
}
