#include "registry/remote/release_record.hpp"

#include "registry/remote/registry_client.hpp"
#include "registry/remote/verify_image.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

ReleaseRecord record(Remote& remote, const oci::Descriptor& image, const std::string& name = "v1") {
  ReleaseRecord release;
  release.name = name;
  release.created = "2026-11-20T12:00:00Z";
  release.kiln_version = "0.1.0";
  release.registry = remote.registry.authority() + "/acme";
  release.images = {{"app", release.registry + "/app", "latest", image, 123}};
  return release;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("a release comes back from the registry as it was put there") {
  Remote remote;
  const ReleaseRecord release = record(remote, remote.remote_image("acme/app", "latest", {"layer"}));
  CHECK_FALSE(fetch_release(remote.session(), release.registry, "v1"));
  const oci::Descriptor put = put_release(remote.session(), release);
  CHECK(put.digest == release_artifact(release).digest);
  const auto fetched = fetch_release(remote.session(), release.registry, "v1");
  REQUIRE(fetched);
  CHECK(fetched->record == release);
  CHECK(fetched->artifact.digest == put.digest);
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("releases are listed oldest first, and what else is in their repository is passed over") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "latest", {"layer"});
  ReleaseRecord release = record(remote, image, "v2");
  CHECK(fetch_releases(remote.session(), release.registry).empty());
  put_release(remote.session(), release);
  release.name = "v9";
  release.created = "2026-11-19T12:00:00Z";
  put_release(remote.session(), release);
  remote.remote_image("acme/releases", "stray", {"layer"});
  const auto releases = fetch_releases(remote.session(), release.registry);
  REQUIRE(releases.size() == 2);
  CHECK(releases[0].record.name == "v9");
  CHECK(releases[1].record.name == "v2");
  CHECK(remote.failing([&] { fetch_release(remote.session(), release.registry, "stray"); })
            .find("is no release of kiln") != std::string::npos);
}

TEST_CASE("a record that was made for another registry leads nowhere") {
  Remote remote;
  ReleaseRecord release = record(remote, remote.remote_image("acme/app", "latest", {"layer"}));
  put_release(remote.session(), release);
  const auto manifest = remote.client().fetch_manifest("acme/releases", "v1");
  for (const oci::Descriptor& blob : oci::parse_manifest(manifest.bytes, "release").layers)
    remote.registry.add_blob("prod/releases", remote.client().fetch_blob_bytes("acme/releases", blob));
  remote.registry.add_blob("prod/releases", "{}");
  remote.registry.add_manifest("prod/releases", "v1", manifest.bytes, manifest.descriptor.media_type);
  const std::string prod = remote.registry.authority() + "/prod";
  CHECK(remote.failing([&] { fetch_release(remote.session(), prod, "v1"); })
            .find("is the record of '" + release.registry + "'") != std::string::npos);
  CHECK(fetch_releases(remote.session(), prod).size() == 1);
  release.images[0].repository = "r.example/acme/app";
  put_release(remote.session(), release);
  CHECK(remote.failing([&] { fetch_release(remote.session(), release.registry, "v1"); })
            .find("holds 'r.example/acme/app'") != std::string::npos);
}

TEST_CASE("a release that is listed and cannot be had is an error, and one that is deleted meanwhile none") {
  Remote remote;
  const ReleaseRecord release = record(remote, remote.remote_image("acme/app", "latest", {"layer"}));
  put_release(remote.session(), release);
  bool is_listed = true;
  remote.registry.script([&](const SeenRequest& request, int count) {
    if (request.is("GET", "/manifests/v1")) return Reaction{Reaction::Kind::answer, {404, {}, ""}, 0};
    if (request.is("GET", "/tags/list") && count > 1 && !is_listed)
      return Reaction{Reaction::Kind::answer, {200, {}, R"({"name":"acme/releases","tags":[]})"}, 0};
    return Reaction{};
  });
  CHECK(remote.failing([&] { fetch_releases(remote.session(), release.registry); })
            .find("the registry lists it, and answers that it is not there") != std::string::npos);
  is_listed = false;
  CHECK(fetch_releases(remote.session(), release.registry).empty());
}

TEST_CASE("indexes in one another are looked at as deep as an image may have them") {
  Remote remote;
  oci::Descriptor inner = remote.remote_image("acme/app", "", {"layer"});
  const RemoteRepository place{{remote.registry.authority(), Security::verified}, "acme/app"};
  for (int depth = 1; depth <= oci::kMostIndexNesting + 1; ++depth) {
    oci::Index index;
    index.manifests = {inner};
    const std::string text = oci::serialise(index);
    remote.registry.add_manifest("acme/app", "1", text, index.media_type);
    inner = {index.media_type, oci::sha256_of(text), text.size(), {}, {}, {}};
    const std::vector<ImageAtRegistry> images = {{place, inner}};
    if (depth <= oci::kMostIndexNesting) {
      CHECK(verify_images(remote.session(), images)[0].is_whole());
    } else {
      CHECK(remote.failing([&] { verify_images(remote.session(), images); }).find("indexes are nested more than") !=
            std::string::npos);
    }
  }
}

TEST_CASE("an image of a release is found by its target, its repository or that one's last part") {
  Remote remote;
  const ReleaseRecord release = record(remote, remote.remote_image("acme/app", "latest", {"layer"}));
  CHECK(release.find("app") == &release.images.front());
  CHECK(release.find(release.registry + "/app") == &release.images.front());
  CHECK(release.find("ap") == nullptr);
  CHECK(release.images.front().by_digest().str() ==
        release.registry + "/app@" + release.images.front().manifest.digest.str());
}

TEST_CASE("what is no release is refused by the member that is wrong") {
  Remote remote;
  const ReleaseRecord release = record(remote, remote.remote_image("acme/app", "latest", {"layer"}));
  const std::string text = to_json_text(release);
  const auto message = [&](const std::string& what, const std::string& by) {
    return remote.failing([&] { parse_release(replaced(text, what, by), "release", Category::usage); });
  };
  CHECK(message("\"schema_version\": 1", "\"schema_version\": 2").find("this kiln reads 1") != std::string::npos);
  CHECK(message("\"v1\"", "\"../v1\"").find("cannot name a release") != std::string::npos);
  CHECK(message("\"2026-11-20T12:00:00Z\"", "\"yesterday\"").find("RFC 3339") != std::string::npos);
  CHECK(message("sha256:", "sha257:").find("digest") != std::string::npos);
  CHECK(message("/acme/app\"", "/acme/app:1\"").find("is no repository") != std::string::npos);
  CHECK(message("\"compressed_bytes\": 123", "\"compressed_bytes\": -1").find("compressed_bytes") != std::string::npos);
  CHECK(message("\"images\"", "\"pictures\"").find("misses 'images'") != std::string::npos);
  CHECK(message("\"tag\": \"latest\"", "\"tag\": \"a b\"").find("is no tag") != std::string::npos);
  CHECK(parse_release(replaced(text, "\"name\": \"v1\"", "\"later\": 7, \"name\": \"v1\""), "release",
                      Category::usage) == release);
}

TEST_CASE("an image is whole when its manifests and all its blobs are there") {
  Remote remote;
  oci::Index index;
  for (const char* platform : {"linux/amd64", "linux/arm64"}) {
    oci::Descriptor entry = remote.remote_image("acme/app", "", {"shared", platform}, platform);
    entry.platform = oci::Platform::parse(platform);
    index.manifests.push_back(entry);
  }
  const std::string text = oci::serialise(index);
  remote.registry.add_manifest("acme/app", "1", text, index.media_type);
  const RemoteRepository place{{remote.registry.authority(), Security::verified}, "acme/app"};
  const std::vector<ImageAtRegistry> images = {{place, {"", oci::sha256_of(text), 0, {}, {}, {}}}};
  const auto verdicts = verify_images(remote.session(), images);
  REQUIRE(verdicts.size() == 1);
  CHECK(verdicts[0].is_whole());
  CHECK(verdicts[0].manifests == 3);
  CHECK(verdicts[0].blobs == 5);
  CHECK(verdicts[0].root.media_type == index.media_type);
  CHECK(verdicts[0].root.size == text.size());
}

TEST_CASE("an image that lacks a blob, a manifest or bytes is named with what it lacks") {
  Remote remote;
  const RemoteRepository place{{remote.registry.authority(), Security::verified}, "acme/app"};
  oci::Manifest manifest;
  manifest.config = Remote::blob_of("config");
  manifest.layers = {Remote::blob_of("there"), Remote::blob_of("gone")};
  manifest.layers[0].size = 999;
  remote.registry.add_blob("acme/app", "config");
  remote.registry.add_blob("acme/app", "there");
  const std::string text = oci::serialise(manifest);
  remote.registry.add_manifest("acme/app", "1", text, manifest.media_type);
  const std::vector<ImageAtRegistry> images = {{place, {"", oci::sha256_of(text), 0, {}, {}, {}}},
                                               {place, {"", oci::sha256_of("nothing"), 0, {}, {}, {}}}};
  const auto verdicts = verify_images(remote.session(), images);
  REQUIRE(verdicts[0].problems.size() == 2);
  CHECK(verdicts[0].problems[0].find("expected 999 bytes, the repository has 5") != std::string::npos);
  CHECK(verdicts[0].problems[1].find(oci::sha256_of("gone").str()) != std::string::npos);
  REQUIRE(verdicts[1].problems.size() == 1);
  CHECK(verdicts[1].problems[0].find("does not have it") != std::string::npos);
}
