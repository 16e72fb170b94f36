#include "registry/oci/manifest.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::oci;

namespace {

Descriptor descriptor(const std::string& content, const std::string& type) {
  Descriptor result;
  result.media_type = type;
  result.digest = sha256_of(content);
  result.size = content.size();
  return result;
}

Descriptor for_platform(const std::string& content, const std::string& platform) {
  Descriptor result = descriptor(content, media_type::kOciManifest);
  result.platform = Platform::parse(platform);
  return result;
}

const std::string kConfig =
    R"({"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" + sha256_of("c").str() + R"(","size":1})";

std::string refusal_of_manifest(const std::string& text) {
  try {
    parse_manifest(text, "manifest 'm'");
  } catch (const Error& error) {
    CHECK(error.category() == Category::network);
    return error.message();
  }
  return {};
}

}  // namespace

TEST_CASE("the bytes of a manifest are pinned") {
  Manifest manifest;
  manifest.config = descriptor("config", media_type::kOciConfig);
  manifest.layers = {descriptor("layer", media_type::kOciLayerGzip)};
  manifest.annotations = {{"org.opencontainers.image.created", "1980-01-01T00:00:00Z"}};
  CHECK(serialise(manifest) ==
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
        R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json",)"
        R"("digest":"sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910","size":6},)"
        R"("layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",)"
        R"("digest":"sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85","size":5}],)"
        R"("annotations":{"org.opencontainers.image.created":"1980-01-01T00:00:00Z"}})");
}

TEST_CASE("a manifest survives being written and read, with and without its optional parts") {
  Manifest manifest;
  manifest.config = descriptor("config", media_type::kOciConfig);
  CHECK(serialise(parse_manifest(serialise(manifest), "m")) == serialise(manifest));
  manifest.layers = {descriptor("1", media_type::kOciLayer), descriptor("2", media_type::kOciLayerZstd)};
  manifest.subject = descriptor("subject", media_type::kOciManifest);
  manifest.artifact_type = "application/vnd.example";
  manifest.annotations = {{"k", "v"}};
  const Manifest again = parse_manifest(serialise(manifest), "m");
  CHECK(again.layers == manifest.layers);
  CHECK(again.subject == manifest.subject);
  CHECK(again.artifact_type == manifest.artifact_type);
  CHECK(again.annotations == manifest.annotations);
}

TEST_CASE("docker's manifests are read and keep their type") {
  const std::string text =
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" + kConfig +
      R"(,"layers":[]})";
  CHECK(parse_manifest(text, "m").media_type == media_type::kDockerManifest);
  CHECK(detect_media_type(text, "m") == media_type::kDockerManifest);
}

TEST_CASE("a manifest without a media type is OCI's") {
  const std::string text = R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":[]})";
  CHECK(parse_manifest(text, "m").media_type == media_type::kOciManifest);
  CHECK(detect_media_type(text, "m") == media_type::kOciManifest);
  CHECK(detect_media_type(R"({"schemaVersion":2,"manifests":[]})", "m") == media_type::kOciIndex);
}

TEST_CASE("ambiguous and malformed manifests are refused") {
  struct Case {
    std::string text, says;
  };
  for (const Case& bad : {
           Case{"", "syntax error"},
           {"[]", "expected an object"},
           {R"({"schemaVersion":1,"config":)" + kConfig + "}", "docker schema 1"},
           {R"({"config":)" + kConfig + "}", "schemaVersion is 0, expected 2"},
           {R"({"schemaVersion":"2","config":)" + kConfig + "}", "'schemaVersion': expected a whole number"},
           {R"({"schemaVersion":2})", "has no 'config'"},
           {R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":[],"manifests":[]})",
            "both 'layers' and 'manifests'"},
           {R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":[],"layers":[]})", "duplicate key 'layers'"},
           {R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","config":)" + kConfig + "}",
            "is not that of an image manifest"},
           {R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":{}})", "'layers': expected a list"},
           {R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":[null]})", "expected an object"},
           {R"({"schemaVersion":2,"config":)" + kConfig + R"(,"layers":[{"digest":"sha256:1","size":1}]})",
            "is not of the form"},
       }) {
    CAPTURE(bad.text);
    const std::string message = refusal_of_manifest(bad.text);
    CAPTURE(message);
    CHECK(message.starts_with("manifest 'm'"));
    CHECK(message.find(bad.says) != std::string::npos);
  }
}

TEST_CASE("an index survives being written and read, and a manifest is not taken for one") {
  Index index;
  index.manifests = {for_platform("a", "linux/amd64"), for_platform("b", "linux/arm/v7")};
  index.annotations = {{"k", "v"}};
  const Index again = parse_index(serialise(index), "i");
  CHECK(again.manifests == index.manifests);
  CHECK(serialise(again) == serialise(index));
  CHECK_ERROR(parse_index(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"})", "i"),
              Category::usage, "TODO");
  CHECK_ERROR(parse_index(R"({"schemaVersion":2,"manifests":[],"layers":[]})", "i"), Category::usage, "TODO");
}

TEST_CASE("the exact variant is chosen before one that only might fit") {
  Index index;
  index.manifests = {descriptor("attestation", media_type::kOciManifest), for_platform("generic", "linux/amd64"),
                     for_platform("v3", "linux/amd64/v3"), for_platform("arm6", "linux/arm/v6"),
                     for_platform("windows", "windows/amd64")};
  const auto chosen = [&](const char* platform) {
    const auto found = select_platform(index, Platform::parse(platform));
    return found ? found->digest : Digest();
  };
  CHECK(chosen("linux/amd64") == sha256_of("generic"));
  CHECK(chosen("linux/amd64/v3") == sha256_of("v3"));
  CHECK(chosen("linux/amd64/v2") == sha256_of("generic"));
  CHECK(chosen("linux/arm/v6") == sha256_of("arm6"));
  CHECK(chosen("linux/arm/v7") == Digest());
  CHECK(chosen("linux/arm64") == Digest());
}
