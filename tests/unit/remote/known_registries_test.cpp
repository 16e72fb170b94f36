#include <algorithm>

#include "registry/remote/registry_client.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

// The whole way against registries that behave as the well-known ones are known to: what is public of their
// answers, one row each.

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;
using Auth = HostileOptions::Auth;

namespace {

struct Known {
  const char* name;
  Auth auth;
  bool mounts;
  bool absolute_locations;
  bool deletes;
  bool redirects_blobs;      // GETs of blobs lead to a signed address at another host
  const char* token_answer;  // "%" is the token's place; "": the fixture's own
  Answer missing;            // for what is not there
  Answer throttling;         // once for each kind of request
};

const std::vector<Known> kKnown = {
    {"GHCR",
     Auth::token,
     false,
     false,
     false,
     true,
     R"({"token":"%"})",
     {404, {}, R"({"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]})"},
     {403,
      {},
      R"({"errors":[{"code":"DENIED","message":"You have exceeded a secondary rate limit, retry-after: 12.5s"}]})"}},
    {"ECR",
     Auth::basic,
     false,
     true,
     true,
     true,
     "",
     {404,
      {},
      R"({"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name 'acme/app' does not exist"}]})"},
     {429, {}, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]})"}},
    {"Harbor",
     Auth::token,
     true,
     true,
     true,
     false,
     R"({"token":"%","access_token":"","expires_in":1800,"issued_at":"2026-01-01T00:00:00Z"})",
     {404, {}, R"({"errors":[{"code":"NOT_FOUND","message":"artifact acme/app:1 not found"}]})"},
     {429, {{"Retry-After", "1"}}, ""}},
    {"Quay",
     Auth::token,
     false,
     true,
     true,
     true,
     R"({"token":"%"})",
     {404, {}, R"({"errors":[{"code":"MANIFEST_UNKNOWN","detail":{},"message":"manifest unknown"}]})"},
     {429, {}, "<html>Too Many Requests</html>"}},
    {"Docker Hub",
     Auth::token,
     true,
     false,
     true,
     true,
     R"({"token":"%","access_token":"%","expires_in":300,"issued_at":"2026-01-01T00:00:00Z"})",
     {404, {}, R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":"unknown tag=1"}]})"},
     {503, {}, "<html>Service Unavailable</html>"}},
    {"a server that speaks OAuth 2",
     Auth::token,
     true,
     true,
     true,
     false,
     R"({"access_token":"%","token_type":"Bearer","scope":"x","expires_in":60})",
     {404, {}, ""},
     {502, {}, ""}},
};

std::string replaced(std::string text, const std::string& token) {
  for (std::size_t at; (at = text.find('%')) != std::string::npos;) text.replace(at, 1, token);
  return text;
}

// Behaves as `known`; throttles each kind of request once.
std::function<Reaction(const SeenRequest&, int)> script_of(const Known& known, const std::string& elsewhere,
                                                           const std::string& token) {
  return [&known, elsewhere, token, throttled = std::set<std::string>()](const SeenRequest& request,
                                                                         int) mutable -> Reaction {
    if (request.path == "/token") {
      if (*known.token_answer == '\0') return {};
      return {Kind::answer, {200, {{"Content-Type", "application/json"}}, replaced(known.token_answer, token)}, 0};
    }
    if (known.auth != Auth::none && request.header("Authorization").empty()) return {};
    const bool upload = request.path.find("/uploads/") != std::string::npos;
    const bool blob = !upload && request.path.find("/blobs/") != std::string::npos;
    const bool manifest = request.path.find("/manifests/") != std::string::npos;
    // A HEAD is explained by a GET, which must be throttled alike.
    const std::string method = request.header("Range") == "bytes=0-0" ? "HEAD, explained" : request.method;
    const std::string kind = method + (upload ? " upload" : blob ? " blob" : manifest ? " manifest" : "");
    if ((upload || blob || manifest) && throttled.insert(kind).second) return {Kind::answer, known.throttling, 0};
    if (known.redirects_blobs && blob && request.method == "GET") {
      const std::string digest = request.path.substr(request.path.rfind('/') + 1);
      return {Kind::answer,
              {307,
               {{"Location", "http://" + elsewhere + "/v2/storage/blobs/" + digest + "?X-Signature=canary-signature"}},
               ""},
              0};
    }
    return {};
  };
}

}  // namespace

TEST_CASE("images go to and come from the registries of the world") {
  for (const Known& known : kKnown) {
    CAPTURE(known.name);
    HostileOptions options;
    options.auth = known.auth;
    options.mounts = known.mounts;
    options.absolute_locations = known.absolute_locations;
    options.deletes = known.deletes;
    Remote remote(options);
    const std::string token = "canary-token-of-a-known-one";
    remote.registry.accept_token(token);
    remote.registry.script(script_of(known, remote.elsewhere.authority(), token));

    const std::vector<std::string> layers = {bytes_of(300'000), bytes_of(50'000, 2)};
    for (const std::string& layer : layers) remote.elsewhere.add_blob("storage", layer);
    const oci::Descriptor image = remote.image(layers);
    remote.elsewhere.add_blob(
        "storage", remote.store.read(oci::parse_manifest(remote.store.read(image.digest), "image").config.digest));
    CHECK_FALSE(remote.client().resolve("acme/app", "1").has_value());
    push_image(remote.session(), remote.store,
               {image, {remote.reference("acme/app:1"), remote.reference("acme/app:2")}});
    CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
    CHECK(remote.registry.tag("acme/app", "2") == image.digest.str());

    const std::uint64_t sent = remote.registry.blob_bytes_received();
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
    CHECK(remote.registry.blob_bytes_received() == sent);
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/other:1")}});
    CHECK((remote.registry.blob_bytes_received() == sent) == known.mounts);
    CHECK(remote.registry.broken_tags().empty());

    const TempDir home;
    ContentStore store(HomeLayout::open(home.path()));
    CHECK(pull_image(remote.session(), store, remote.reference("acme/app:1"), oci::Platform::parse("linux/amd64"),
                     PullWhat::layers)
              .root.digest == image.digest);
    for (const std::string& layer : layers) CHECK(store.has(oci::sha256_of(layer)));
    CHECK((remote.elsewhere.count("GET", "/storage/") > 0) == known.redirects_blobs);
  }
}

TEST_CASE("what is not there is nothing, however a registry says so") {
  for (const Known& known : kKnown) {
    CAPTURE(known.name);
    Remote remote;
    remote.registry.script([&](const SeenRequest& request, int) {
      return request.is("HEAD", "/manifests/") || request.is("GET", "/manifests/")
                 ? Reaction{Kind::answer, known.missing, 0}
                 : Reaction{};
    });
    CHECK_FALSE(remote.client().resolve("acme/app", "1").has_value());
    CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); }).find("404") != std::string::npos);
  }
}

TEST_CASE("a tag that a registry does not let move is an error with the registry's words") {
  for (
      const Answer& refusal :
      {Answer{400,
              {},
              R"({"errors":[{"code":"TAG_INVALID","message":"The image tag '1' already exists and is immutable"}]})"},
       Answer{
           412,
           {},
           R"({"errors":[{"code":"PRECONDITION","message":"Failed to process request due to '1' configured as immutable."}]})"}}) {
    Remote remote;
    const oci::Descriptor before = remote.remote_image("acme/app", "1", {"before"});
    remote.registry.script([&](const SeenRequest& request, int) {
      return request.is("PUT", "/manifests/1") ? Reaction{Kind::answer, refusal, 0} : Reaction{};
    });
    const oci::Descriptor image = remote.image({"after"});
    CHECK(remote.failing([&] {
                  push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
                })
              .find("immutable") != std::string::npos);
    CHECK(remote.registry.tag("acme/app", "1") == before.digest.str());
  }
}

TEST_CASE("docker's image manifests and lists keep their bytes and media types on the way") {
  Remote remote;
  std::string list =
      R"({"schemaVersion":2,"mediaType":")" + std::string(oci::media_type::kDockerManifestList) + R"(","manifests":[)";
  for (const char* architecture : {"amd64", "arm64"}) {
    oci::ImageConfig config;
    config.platform = oci::Platform::parse(std::string("linux/") + architecture);
    config.diff_ids.push_back(oci::sha256_of(architecture));
    const std::string config_text = oci::serialise(config);
    const std::string manifest =
        "{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"" + std::string(oci::media_type::kDockerManifest) +
        "\",\n   \"config\": {\"mediaType\": \"" + oci::media_type::kDockerConfig +
        "\", \"size\": " + std::to_string(config_text.size()) + ", \"digest\": \"" + oci::sha256_of(config_text).str() +
        "\"},\n   \"layers\": [{\"mediaType\": \"" + oci::media_type::kDockerLayerGzip +
        "\", \"size\": 5, \"digest\": \"" + oci::sha256_of(architecture).str() + "\"}]\n}";
    remote.registry.add_blob("acme/app", config_text);
    remote.registry.add_blob("acme/app", architecture);
    const std::string digest =
        remote.registry.add_manifest("acme/app", architecture, manifest, oci::media_type::kDockerManifest);
    if (list.back() == '}') list += ",";
    list += "{\"mediaType\":\"" + std::string(oci::media_type::kDockerManifest) +
            "\",\"size\":" + std::to_string(manifest.size()) + ",\"digest\":\"" + digest +
            "\",\"platform\":{\"architecture\":\"" + architecture + "\",\"os\":\"linux\"}}";
  }
  list += "]}";
  const std::string digest = remote.registry.add_manifest("acme/app", "1", list, oci::media_type::kDockerManifestList);

  const PulledImage pulled = pull_image(remote.session(), remote.store, remote.reference("acme/app:1"),
                                        oci::Platform::parse("linux/arm64"), PullWhat::layers);
  CHECK(remote.store.has(oci::sha256_of("arm64")));
  CHECK_FALSE(remote.store.has(oci::sha256_of("amd64")));
  const std::string single = remote.store.read(pulled.manifest.digest);
  CHECK(single.find("\n   \"layers\"") != std::string::npos);
  const oci::Descriptor root{oci::media_type::kDockerManifest, pulled.manifest.digest, single.size(), {}, {}, {}};
  push_image(remote.session(), remote.store, {root, {remote.reference("acme/single:1")}});
  CHECK(remote.registry.tag("acme/single", "1") == pulled.manifest.digest.str());
  CHECK(remote.client().fetch_manifest("acme/app", "1").descriptor.digest.str() == digest);
  CHECK(remote.client().fetch_manifest("acme/app", "1").descriptor.media_type == oci::media_type::kDockerManifestList);
  const auto requests = remote.registry.requests();
  const auto put =
      std::find_if(requests.begin(), requests.end(), [](const SeenRequest& r) { return r.is("PUT", "/manifests/1"); });
  REQUIRE(put != requests.end());
  CHECK(put->header("Content-Type") == oci::media_type::kDockerManifest);
  CHECK(put->body == single);
  CHECK(remote.registry.broken_tags().empty());
}
