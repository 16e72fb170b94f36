#include "registry/oci/descriptor.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace kiln;
using namespace kiln::oci;
using nlohmann::json;

namespace {
const std::string kDigest = sha256_of("x").str();
}

TEST_CASE("a descriptor survives being written and read") {
  Descriptor descriptor;
  descriptor.media_type = media_type::kOciManifest;
  descriptor.digest = sha256_of("x");
  descriptor.size = 18014398509481984;
  descriptor.annotations = {{"b", "2"}, {"a", "1"}};
  descriptor.platform = Platform::parse("linux/arm/v6");
  descriptor.artifact_type = "application/x";
  CHECK(descriptor_from_json(to_json(descriptor), "d") == descriptor);
  Descriptor bare;
  bare.media_type = media_type::kOciLayerGzip;
  bare.digest = sha256_of("y");
  CHECK(descriptor_from_json(to_json(bare), "d") == bare);
  CHECK(to_json(bare).size() == 3);
}

TEST_CASE("null members count as absent, unknown ones are passed over") {
  const json value = {{"mediaType", nullptr}, {"digest", kDigest}, {"size", 1},     {"annotations", nullptr},
                      {"platform", nullptr},  {"urls", {"x"}},     {"data", "eA=="}};
  const Descriptor descriptor = descriptor_from_json(value, "d");
  CHECK(descriptor.media_type.empty());
  CHECK_FALSE(descriptor.platform);
}

TEST_CASE("wrong types, sizes and digests are refused by the name of the document") {
  const json good = {{"mediaType", "a"}, {"digest", kDigest}, {"size", 1}};
  REQUIRE_NOTHROW(descriptor_from_json(good, "manifest 'm'"));
  const auto with = [&](const char* key, const json& value) {
    json changed = good;
    changed[key] = value;
    return changed;
  };
  for (const json& bad :
       {json(1), json::array(), with("digest", 1), with("digest", "sha256:x"), with("digest", nullptr),
        with("size", -1), with("size", "1"), with("size", 1.5), with("size", nullptr),
        with("size", 18446744073709551615u), with("mediaType", 1), with("annotations", {{"a", 1}}),
        with("annotations", "a"), with("platform", "linux"), with("platform", {{"os", 1}})}) {
    CAPTURE(bad.dump());
    try {
      descriptor_from_json(bad, "manifest 'm'");
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.category() == Category::network);
      CHECK(error.message().starts_with("manifest 'm'"));
    }
  }
}

TEST_CASE("arm64 means the same with and without its variant") {
  CHECK(platform_from_json({{"os", "linux"}, {"architecture", "arm64"}, {"variant", "v8"}}, "p") ==
        Platform::parse("linux/arm64"));
}

TEST_CASE("manifests and indexes are told apart by their media types") {
  CHECK(media_type::is_manifest(media_type::kOciManifest));
  CHECK(media_type::is_manifest(media_type::kDockerManifest));
  CHECK(media_type::is_index(media_type::kOciIndex));
  CHECK(media_type::is_index(media_type::kDockerManifestList));
  for (const char* neither : {media_type::kOciConfig, media_type::kOciLayer, media_type::kOciLayerGzip, ""}) {
    CHECK_FALSE(media_type::is_manifest(neither));
    CHECK_FALSE(media_type::is_index(neither));
  }
}
