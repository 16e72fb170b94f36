#include "registry/oci/manifest.hpp"

#include <doctest/doctest.h>

#include <map>

#include "base/error.hpp"
#include "registry/oci/image_config.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"

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

TEST_CASE("a media type that is none is told without what a terminal would take for an order") {
  const std::string text = R"({"schemaVersion": 2, "mediaType": "\u001b[2J\u202ex"})";
  for (const auto& parse : {+[](const std::string& bytes) { oci::parse_manifest(bytes, "i"); },
                            +[](const std::string& bytes) { oci::parse_index(bytes, "i"); }}) {
    CHECK_ERROR(parse(text), Category::network,
                doctest::Contains("media type '\\x1b[2J\\xe2\\x80\\xaex' is not that of"));
  }
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
  CHECK(error_of([] {
          parse_index(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"})", "i");
        }) == "network: i: media type 'application/vnd.oci.image.manifest.v1+json' is not that of an image index");
  CHECK(error_of([] { parse_index(R"({"schemaVersion":2,"manifests":[],"layers":[]})", "i"); }) ==
        "network: i: has both 'layers' and 'manifests', so it means different things to different clients");
  CHECK(error_of([] { parse_index(R"({"schemaVersion":2,"layers":[]})", "i"); }) ==
        "network: i: has 'layers', which an image index has not");
  CHECK(error_of([] { parse_index(R"({"schemaVersion":2,"config":{}})", "i"); }) ==
        "network: i: has 'config', which an image index has not");
  CHECK(error_of([] { parse_manifest(R"({"schemaVersion":2,"config":{},"manifests":[]})", "m"); }) ==
        "network: m: has 'manifests', which an image manifest has not");
}

namespace {

// Documents by their digests, as a registry would have them; counts what is read.
struct Documents {
  std::map<Digest, std::string> bytes;
  int reads = 0;

  Descriptor add(const std::string& text, const char* type) {
    bytes[sha256_of(text)] = text;
    return {type, sha256_of(text), text.size(), {}, {}, {}};
  }
  // An image whose config says what it runs on.
  Descriptor image(const std::string& platform) {
    ImageConfig config;
    config.platform = Platform::parse(platform);
    config.created = "2026-01-01T00:00:00Z";
    Manifest manifest;
    manifest.config = add(serialise(config), media_type::kOciConfig);
    return add(serialise(manifest), media_type::kOciManifest);
  }
  // The same, with an entry that says it too.
  Descriptor named(const std::string& platform, const std::string& entry) {
    Descriptor found = image(platform);
    found.platform = platform_of(entry);
    return found;
  }
  static Platform platform_of(const std::string& text) {
    const std::size_t os = text.find('/');
    const std::size_t variant = text.find('/', os + 1);
    Platform platform;
    platform.os = text.substr(0, os);
    platform.architecture = text.substr(os + 1, variant == std::string::npos ? variant : variant - os - 1);
    if (variant != std::string::npos) platform.variant = text.substr(variant + 1);
    return platform;
  }
  std::optional<ChosenImage> choose(const Index& index, const std::string& platform) {
    return choose_image(
        index, Platform::parse(platform),
        [&](const Descriptor& document) {
          ++reads;
          return bytes.at(document.digest);
        },
        "index 'i'");
  }
  // The platform that the chosen image's entry or config names; "none".
  std::string chosen(const std::vector<std::string>& entries, const std::string& platform) {
    Index index;
    std::map<Digest, std::string> names;
    for (const std::string& entry : entries) {
      Descriptor found = add("{\"entry\":\"" + entry + "\"}", media_type::kOciManifest);
      found.platform = platform_of(entry);
      names[found.digest] = entry;
      index.manifests.push_back(found);
    }
    const auto found = choose(index, platform);
    return found ? names.at(found->descriptor.digest) : "none";
  }
};

}  // namespace

TEST_CASE("the nearest variant that the platform can run is chosen, and never a higher one") {
  Documents documents;
  struct Case {
    std::vector<std::string> entries;
    std::string wanted;
    std::string chosen;
  };
  for (const Case& each : {
           Case{{"linux/amd64", "linux/amd64/v3", "windows/amd64"}, "linux/amd64", "linux/amd64"},
           Case{{"linux/amd64", "linux/amd64/v3"}, "linux/amd64/v3", "linux/amd64/v3"},
           Case{{"linux/amd64", "linux/amd64/v3"}, "linux/amd64/v2", "linux/amd64"},
           Case{{"linux/amd64/v2", "linux/amd64/v3"}, "linux/amd64", "none"},
           Case{{"linux/amd64/v2", "linux/amd64/v3"}, "linux/amd64/v4", "linux/amd64/v3"},
           Case{{"linux/arm/v6"}, "linux/arm/v7", "linux/arm/v6"},
           Case{{"linux/arm/v5"}, "linux/arm/v6", "linux/arm/v5"},
           Case{{"linux/arm/v7"}, "linux/arm/v6", "none"},
           Case{{"linux/arm", "linux/arm/v5"}, "linux/arm/v6", "linux/arm/v5"},
           Case{{"linux/arm/v5", "linux/arm"}, "linux/arm/v7", "linux/arm"},
           Case{{"linux/arm/v5", "linux/arm/v6"}, "linux/arm/v7", "linux/arm/v6"},
           Case{{"linux/arm64/v8"}, "linux/arm64", "linux/arm64/v8"},
           Case{{"linux/arm64"}, "linux/arm64/v8", "linux/arm64"},
           Case{{"linux/arm64/v9"}, "linux/arm64", "none"},
           Case{{"linux/arm64", "linux/arm64/v9"}, "linux/arm64/v9", "linux/arm64/v9"},
           Case{{"linux/arm/v7"}, "linux/arm64", "linux/arm/v7"},
           Case{{"linux/386", "linux/amd64"}, "linux/amd64", "linux/amd64"},
           Case{{"linux/386"}, "linux/amd64", "linux/386"},
           Case{{"linux/x86_64"}, "linux/amd64", "linux/x86_64"},
           Case{{"linux/aarch64"}, "linux/arm64", "linux/aarch64"},
           Case{{"unknown/unknown"}, "linux/amd64", "none"},
           Case{{"linux/riscv64"}, "linux/amd64", "none"},
       }) {
    CAPTURE(each.wanted);
    CAPTURE(each.entries.front());
    CHECK(documents.chosen(each.entries, each.wanted) == each.chosen);
  }
}

TEST_CASE("an entry without a platform is chosen by its config, after those that name one") {
  Documents documents;
  Index index;
  index.manifests = {documents.image("linux/arm64"), documents.image("linux/amd64")};
  CHECK(platforms_of(index) == "2 that name no platform");
  CHECK(documents.choose(index, "linux/amd64")->descriptor == index.manifests[1]);
  CHECK(documents.choose(index, "linux/arm64")->descriptor == index.manifests[0]);
  CHECK_FALSE(documents.choose(index, "linux/s390x"));

  index.manifests.push_back(documents.named("linux/amd64", "linux/amd64"));
  CHECK(documents.choose(index, "linux/amd64")->descriptor == index.manifests[2]);
  CHECK(platforms_of(index) == "linux/amd64 and 2 that name no platform");
  Index wide = index;
  wide.manifests.back().platform->architecture = std::string(1 << 20, 'a');
  CHECK(platforms_of(wide) == "linux/" + std::string(94, 'a') + "... and 2 that name no platform");
  wide.manifests.insert(wide.manifests.end(), 60, index.manifests[2]);
  CHECK(platforms_of(wide).ends_with("linux/amd64, 11 more and 2 that name no platform"));

  // What is no image is passed over: an artifact, and an entry with a platform of empty words.
  Manifest artifact;
  artifact.artifact_type = "application/vnd.acme.sbom";
  artifact.config = documents.add("{}", media_type::kOciEmpty);
  index.manifests = {documents.add(serialise(artifact), media_type::kOciManifest), documents.named("linux/amd64", "/")};
  CHECK(documents.choose(index, "linux/amd64")->descriptor == index.manifests[1]);
}

TEST_CASE("an index in an index is followed, with a platform and without one") {
  for (const bool names_platform : {true, false}) {
    CAPTURE(names_platform);
    Documents documents;
    Index inner;
    inner.manifests = {documents.named("linux/arm64", "linux/arm64"), documents.named("linux/amd64", "linux/amd64")};
    Index outer;
    outer.manifests = {documents.add(serialise(inner), media_type::kOciIndex)};
    if (names_platform) outer.manifests[0].platform = Platform::parse("linux/amd64");
    const auto found = documents.choose(outer, "linux/amd64");
    REQUIRE(found);
    CHECK(found->descriptor == inner.manifests[1]);
    CHECK(found->bytes == documents.bytes.at(inner.manifests[1].digest));
  }
}

TEST_CASE("indexes that are nested or wide without an end are left") {
  Documents documents;
  Index index;
  index.manifests = {documents.image("linux/s390x")};
  for (int depth = 0; depth < 5; ++depth) {
    Index around;
    around.manifests = {documents.add(serialise(index), media_type::kOciIndex)};
    index = around;
  }
  CHECK(error_of([&] { documents.choose(index, "linux/amd64"); }) ==
        "network: index 'i': indexes are nested more than 4 deep");
  CHECK(documents.reads < 10);

  index.manifests.clear();
  for (int i = 0; i < 60; ++i) {
    Manifest manifest;
    manifest.config = documents.image("linux/s390x");
    manifest.config.media_type = media_type::kOciConfig;
    manifest.annotations["n"] = std::to_string(i);
    manifest.config = parse_manifest(documents.bytes.at(manifest.config.digest), "m").config;
    index.manifests.push_back(documents.add(serialise(manifest), media_type::kOciManifest));
  }
  CHECK(error_of([&] { documents.choose(index, "linux/amd64"); }) ==
        "network: index 'i': more than 100 of its documents had to be read");
}

TEST_CASE("an image that an index names by its sha512 is known by its sha256 afterwards") {
  Documents documents;
  Descriptor image = documents.named("linux/amd64", "linux/amd64");
  const Digest known = image.digest;
  const std::string bytes = documents.bytes.at(known);
  image.digest = digest_like(Digest::parse("sha512:" + std::string(128, '0')), bytes);
  CHECK(image.digest.algorithm() == "sha512");
  documents.bytes[image.digest] = bytes;
  Index index;
  index.manifests = {image};
  CHECK(documents.choose(index, "linux/amd64")->descriptor.digest == known);
}

TEST_CASE("the urls of a foreign layer survive, and its type is known as such") {
  Manifest manifest;
  manifest.config = descriptor("config", media_type::kOciConfig);
  manifest.layers = {descriptor("layer", media_type::kDockerForeignLayerGzip)};
  manifest.layers[0].urls = {"https://layers.example/a", "https://other.example/a"};
  const std::string text = serialise(manifest);
  CHECK(text.find(R"("urls":["https://layers.example/a","https://other.example/a"])") != std::string::npos);
  CHECK(parse_manifest(text, "m").layers == manifest.layers);
  CHECK(media_type::is_foreign_layer("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"));
  CHECK(media_type::is_foreign_layer("application/vnd.docker.image.rootfs.foreign.diff.tar"));
  CHECK_FALSE(media_type::is_foreign_layer(media_type::kOciLayerGzip));
}

TEST_CASE("an annotation that is no UTF-8 is refused and not altered") {
  const std::string message = "usage: an annotation is not valid UTF-8, which a manifest cannot hold";
  Manifest manifest;
  manifest.annotations["x"] = "\xff";
  CHECK(error_of([&] { serialise(manifest); }) == message);
  Index index;
  index.annotations["x"] = "\xff";
  CHECK(error_of([&] { serialise(index); }) == message);
}
