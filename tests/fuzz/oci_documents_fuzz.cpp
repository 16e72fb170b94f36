#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/oci/reference.hpp"
#include "tests/fuzz/attempt.hpp"

// Manifests, indexes, configs, references and platforms from anybody. The first byte says which of them the rest is.
namespace kiln::fuzz {

namespace {

using oci::Descriptor;
using oci::Platform;
using oci::Reference;

Descriptor descriptor_of(std::string type, std::string_view text) {
  return {std::move(type), oci::sha256_of(text), text.size(), {}, {}, {}};
}

oci::ImageConfig sample_config() {
  oci::ImageConfig config;
  config.platform = {"linux", "arm", "v7", ""};
  config.created = "2026-01-01T00:00:00Z";
  config.author = "a";
  config.config.user = "app:app";
  config.config.exposed_ports = {"80/tcp"};
  config.config.env = {"PATH=/bin", "A=b"};
  config.config.entrypoint = {{"/init"}};
  config.config.cmd.emplace();
  config.config.volumes = {"/data"};
  config.config.labels = {{"k", "v"}};
  config.config.healthcheck = {{"CMD-SHELL", "true"}, 1'000'000, 2, 3, 4, 5};
  config.config.on_build = {"RUN x"};
  config.config.shell = {{"/bin/sh", "-c"}};
  config.config.args_escaped = true;
  config.diff_ids = {oci::sha256_of("tar")};
  config.history = {{"2026-01-01T00:00:00Z", "RUN |1 A=b /bin/sh -c make", "", "buildkit", false},
                    {"", "", "", "", true}};
  return config;
}

oci::Manifest sample_manifest() {
  oci::Manifest manifest;
  manifest.config = descriptor_of(oci::media_type::kOciConfig, oci::serialise(sample_config()));
  manifest.layers = {descriptor_of(oci::media_type::kOciLayerGzip, "layer")};
  manifest.layers[0].urls = {"https://example.org/layer"};
  manifest.artifact_type = "application/x";
  manifest.subject = descriptor_of(oci::media_type::kOciManifest, "subject");
  manifest.annotations = {{"a", "b"}};
  return manifest;
}

oci::Index sample_index() {
  oci::Index index;
  index.manifests = {descriptor_of(oci::media_type::kOciManifest, oci::serialise(sample_manifest()))};
  index.manifests[0].platform = Platform{"linux", "arm64", "v8", "10.0"};
  index.manifests.push_back(descriptor_of(oci::media_type::kOciIndex, "nested"));
  index.annotations = {{"c", "d"}};
  return index;
}

void take_index(std::string_view text) {
  const Descriptor more = descriptor_of(oci::media_type::kOciManifest, "more");
  may_refuse(Category::network, [&] {
    const oci::Index index = oci::parse_index(text, "input");
    oci::platforms_of(index);
    must_take("an index with one more entry is refused", [&] {
      const oci::Index longer = oci::parse_index(oci::index_text_with(text, more), "longer");
      require(longer.manifests.size() == index.manifests.size() + 1 && longer.manifests.back() == more,
              "an index with one more entry has others");
    });
    int reads = 0;
    oci::choose_image(
        index, {"linux", "arm64", "", ""},
        [&](const Descriptor&) {
          require(++reads < 10'000, "documents are read without an end");
          return std::string(text);
        },
        "input");
  });
}

void take_reference(std::string_view text) {
  may_refuse(Category::usage, [&] {
    const Reference reference = Reference::parse(text);
    must_take("a reference in full is refused", [&] {
      require(Reference::parse(reference.str()).str() == reference.str(), "a reference in full is another one");
      require(Reference::parse(reference.familiar_name()).name() == reference.name(), "a familiar name is another one");
    });
  });
}

void take_platform(std::string_view text) {
  may_refuse(Category::usage, [&] {
    const Platform platform = Platform::parse(text);
    must_take("a platform in its own words is refused", [&] {
      require(Platform::parse(platform.str()) == platform, "a platform in its own words is another one");
    });
    require(platform.normalised() == platform.normalised().normalised(), "a normalised platform can be normalised");
    require(platform.normalised().distance_to(platform.normalised()) == 0, "a platform does not run on itself");
  });
}

template <class Document>
std::string written(const Document& document) {
  return oci::serialise(document);
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 'm':
      return is_read_as_written(
          Category::network, text, [](std::string_view from) { return oci::parse_manifest(from, "input"); },
          written<oci::Manifest>);
    case 'i':
      is_read_as_written(
          Category::network, text, [](std::string_view from) { return oci::parse_index(from, "input"); },
          written<oci::Index>);
      return take_index(text);
    case 'c':
      is_read_as_written(
          Category::network, text, [](std::string_view from) { return oci::parse_image_config(from, "input"); },
          written<oci::ImageConfig>);
      may_refuse(Category::network, [&] {
        const oci::ImageConfig config = oci::parse_image_config(text, "input");
        oci::chain_id(config.diff_ids);
        for (const oci::HistoryEntry& entry : config.history)
          require(oci::instruction_of(entry).size() <= entry.created_by.size(), "an instruction grew");
      });
      return;
    case 't':
      may_refuse(Category::network, [&] { oci::detect_media_type(text, "input"); });
      return;
    case 'r':
      return take_reference(text);
    default:
      return take_platform(text);
  }
}

std::vector<std::string> seeds() {
  const std::string manifest = oci::serialise(sample_manifest()), index = oci::serialise(sample_index());
  return {"m" + manifest,
          "i" + index,
          "t" + index,
          "t{\"layers\":[],\"config\":{}}",
          "c" + oci::serialise(sample_config()),
          "cnull",
          "i{\"schemaVersion\":2,\"manifests\":[]}",
          "rbusybox",
          "rlocalhost:5000/acme/app:1.0@" + oci::sha256_of("").str(),
          "r[::1]:80/a",
          "plinux/arm/v7",
          "pamd64",
          "pwindows(10.0.1)/x86_64"};
}

std::vector<std::string> words() {
  return {"\"schemaVersion\":2",
          "\"mediaType\":",
          "\"config\":{",
          "\"layers\":[",
          "\"manifests\":[",
          "\"digest\":",
          "\"size\":",
          "\"platform\":{",
          "\"os.version\":",
          "\"variant\":",
          "\"architecture\":",
          "\"subject\":",
          "\"annotations\":{",
          "\"artifactType\":",
          "\"urls\":[",
          "\"history\":[",
          "\"empty_layer\":true",
          "\"rootfs\":{",
          "\"diff_ids\":[",
          "\"Healthcheck\":{",
          "\"Interval\":",
          "\"ExposedPorts\":{",
          "null",
          "sha256:",
          "sha512:",
          "{}",
          "[]",
          "1e99",
          "-1",
          "18446744073709551616",
          "\\ud800",
          "RUN |2 ",
          "library/",
          "docker.io/",
          ":latest",
          "/v8",
          "aarch64"};
}

}  // namespace kiln::fuzz
