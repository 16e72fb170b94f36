#include "registry/remote/registry_client.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {

void upload(Remote& remote, const std::string& bytes) {
  const oci::Descriptor blob = remote.store.put(bytes, oci::media_type::kOciLayerGzip);
  remote.client().upload_blob("acme/app", blob, *stored_blob(remote.store, blob));
  CHECK(remote.registry.has_blob("acme/app", blob.digest.str()));
}

void download(Remote& remote, const std::string& bytes) {
  remote.client().download_blob("acme/app", Remote::blob_of(bytes), remote.store);
  CHECK(remote.store.read(oci::sha256_of(bytes)) == bytes);
}

// Reacts to the first request of a kind, and behaves from then on.
auto once(std::string method, std::string path_part, Reaction reaction) {
  return [=, done = std::make_shared<bool>(false)](const SeenRequest& request, int) {
    if (*done || !request.is(method, path_part)) return Reaction{};
    *done = true;
    return reaction;
  };
}

}  // namespace

TEST_CASE("a blob goes up by one POST and one PUT") {
  Remote remote;
  upload(remote, bytes_of(3'000'000));
  CHECK(remote.registry.count("POST", "/uploads/") == 1);
  CHECK(remote.registry.count("PUT", "/uploads/") == 1);
  CHECK(remote.registry.count("PATCH", "") == 0);
  CHECK(remote.session().stats().pushed_bytes == 3'000'000);
}

TEST_CASE("an empty blob can be uploaded and downloaded") {
  Remote remote;
  upload(remote, "");
  Remote other;
  other.registry.add_blob("acme/app", "");
  download(other, "");
}

TEST_CASE("absolute locations keep their query, as relative ones do") {
  HostileOptions options;
  options.absolute_locations = true;
  Remote remote(options);
  upload(remote, bytes_of(1000));
}

TEST_CASE("an upload is cut into pieces where OCI-Chunk-Min-Length asks for it") {
  HostileOptions options;
  options.chunk_min_length = 300'000;
  Remote remote(options);
  remote.settings.upload_chunk_bytes = 1000;
  upload(remote, bytes_of(1'000'000));
  CHECK(remote.registry.count("PATCH", "/uploads/") == 4);
  CHECK(remote.registry.count("PUT", "/uploads/") == 1);
}

TEST_CASE("an upload that is too large for one request is cut into pieces") {
  HostileOptions options;
  options.largest_request = 2'000'000;
  Remote remote(options);
  remote.settings.upload_chunk_bytes = 1'500'000;
  upload(remote, bytes_of(5'000'000));
  CHECK(remote.registry.count("PATCH", "/uploads/") >= 3);
}

TEST_CASE("an interrupted upload goes on where the registry has stopped") {
  Remote remote;
  remote.registry.script(once("PUT", "/uploads/", {Kind::keep_and_reset, {}, 700'000}));
  upload(remote, bytes_of(1'000'000));
  CHECK(remote.registry.count("GET", "/uploads/") == 1);
  CHECK(remote.registry.count("PATCH", "/uploads/") == 1);
  CHECK(remote.registry.blob_bytes_received() == 1'000'000);
}

TEST_CASE("an upload whose end the registry took without an answer is not sent again") {
  Remote remote;
  remote.registry.script(once("PUT", "/uploads/", {Kind::serve_then_reset, {}, 0}));
  upload(remote, bytes_of(100'000));
  CHECK(remote.registry.blob_bytes_received() == 100'000);
  CHECK(remote.registry.count("HEAD", "/blobs/") == 1);
}

TEST_CASE("an upload that the registry stops reading is a stall, and is sent again") {
  Remote remote;
  remote.http = impatient_http();
  // More than the two sockets' buffers hold.
  remote.registry.script(once("PUT", "/uploads/", {Kind::stop_reading, {}, 100'000}));
  upload(remote, bytes_of(16'000'000));
  // Once more where this machine is so busy that the second one stalls as well.
  CHECK(remote.registry.count("PUT", "/uploads/") >= 2);
}

TEST_CASE("a manifest that the registry took without an answer is there once, and is checked") {
  Remote remote;
  const oci::Descriptor image = remote.image({"layer"});
  remote.registry.script(once("PUT", "/manifests/", {Kind::serve_then_reset, {}, 0}));
  push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
  const auto requests = remote.registry.requests();
  CHECK(requests.back().is("HEAD", "/manifests/" + image.digest.str()));
}

TEST_CASE("an upload that the registry forgot begins anew") {
  Remote remote;
  remote.registry.script(
      once("PUT", "/uploads/", {Kind::answer, {404, {}, R"({"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]})"}, 0}));
  upload(remote, bytes_of(1000));
  CHECK(remote.registry.count("POST", "/uploads/") == 2);
}

TEST_CASE("a registry that says it stored other bytes is not believed") {
  Remote remote;
  remote.registry.script(
      once("PUT", "/uploads/", {Kind::answer, {201, {{"Docker-Content-Digest", oci::sha256_of("x").str()}}, ""}, 0}));
  const std::string message = remote.failing([&] { upload(remote, bytes_of(1000)); });
  CHECK(message.find("says it stored") != std::string::npos);
}

TEST_CASE("a download goes on by range after the connection broke") {
  Remote remote;
  const std::string bytes = bytes_of(2'000'000);
  remote.registry.add_blob("acme/app", bytes);
  remote.registry.script(once("GET", "/blobs/", {Kind::truncate, {}, 1'200'000}));
  download(remote, bytes);
  const auto requests = remote.registry.requests();
  CHECK(requests.back().header("Range").starts_with("bytes=1200000"));
  CHECK(remote.session().stats().pulled_bytes == bytes.size());
}

TEST_CASE("a download that stalls is tried again") {
  Remote remote;
  remote.http = impatient_http();
  const std::string bytes = bytes_of(200'000);
  remote.registry.add_blob("acme/app", bytes);
  remote.registry.script(once("GET", "/blobs/", {Kind::stall, {}, 100'000}));
  download(remote, bytes);
}

TEST_CASE("a registry that knows no ranges sends the whole again, and only the rest is taken") {
  Remote remote;
  const std::string bytes = bytes_of(300'000);
  remote.registry.add_blob("acme/app", bytes);
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/blobs/")) return Reaction{};
    if (request.header("Range").empty()) return Reaction{Kind::truncate, {}, 100'000};
    return Reaction{Kind::answer, {200, {}, bytes}, 0};
  });
  download(remote, bytes);
}

TEST_CASE("a range other than the one asked for is refused") {
  Remote remote;
  const std::string bytes = bytes_of(300'000);
  remote.registry.add_blob("acme/app", bytes);
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/blobs/")) return Reaction{};
    if (request.header("Range").empty()) return Reaction{Kind::truncate, {}, 100'000};
    return Reaction{Kind::answer, {206, {{"Content-Range", "bytes 5-299999/300000"}}, bytes.substr(5)}, 0};
  });
  CHECK(remote.failing([&] { download(remote, bytes); }).find("the registry sent others") != std::string::npos);
}

TEST_CASE("a blob with a wrong digest is fetched once more, then refused, and never stored") {
  Remote remote;
  const std::string bytes = bytes_of(5000);
  const oci::Descriptor blob = Remote::blob_of(bytes);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/blobs/") ? Reaction{Kind::answer, {200, {}, bytes_of(5000, 9)}, 0} : Reaction{};
  });
  remote.failing([&] { remote.client().download_blob("acme/app", blob, remote.store); });
  CHECK(remote.registry.count("GET", "/blobs/") == 2);
  CHECK_FALSE(remote.store.has(blob.digest));
}

TEST_CASE("a blob that is longer or shorter than its descriptor is refused") {
  Remote remote;
  const std::string bytes = bytes_of(5000);
  const oci::Descriptor blob = Remote::blob_of(bytes);
  std::string sent = bytes + "more";
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/blobs/") ? Reaction{Kind::answer, {200, {}, sent}, 0} : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().download_blob("acme/app", blob, remote.store); })
            .find("expected 5000 bytes, got more") != std::string::npos);
  sent = bytes.substr(0, 4000);
  CHECK(remote.failing([&] { remote.client().download_blob("acme/app", blob, remote.store); })
            .find("expected 5000 bytes") != std::string::npos);
}

TEST_CASE("bodies without end are cut off") {
  Remote remote;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.path == "/v2/" ? Reaction{} : Reaction{Kind::endless, {}, 0};
  });
  remote.failing([&] { remote.client().download_blob("acme/app", Remote::blob_of(bytes_of(1000)), remote.store); });
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); }).find("larger than") !=
        std::string::npos);
}

TEST_CASE("a manifest is resolved by tag and by digest, and missing ones are nothing") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  CHECK(remote.client().resolve("acme/app", "1") == image);
  CHECK(remote.client().resolve("acme/app", image.digest.str()) == image);
  CHECK_FALSE(remote.client().resolve("acme/app", "2").has_value());
  CHECK_FALSE(remote.client().resolve("acme/nothing", "1").has_value());
}

TEST_CASE("a registry that hides the digest in HEAD is asked for the manifest itself") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.method == "HEAD" ? Reaction{Kind::answer, {200, {}, ""}, 0} : Reaction{};
  });
  CHECK(remote.client().resolve("acme/app", "1") == image);
}

TEST_CASE("a manifest whose bytes have another digest is refused") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  Answer answer{
      200, {{"Content-Type", oci::media_type::kOciManifest}}, R"({"schemaVersion":2,"config":{},"layers":[]})"};
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/manifests/") ? Reaction{Kind::answer, answer, 0} : Reaction{};
  });
  CHECK(
      remote.failing([&] { remote.client().fetch_manifest("acme/app", image.digest.str()); }).find("expected digest") !=
      std::string::npos);
  answer.headers.emplace_back("Docker-Content-Digest", image.digest.str());
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); })
            .find("the registry says its digest is") != std::string::npos);
}

TEST_CASE("a manifest that is called an index, has duplicate keys, or holds both is refused") {
  Remote remote;
  Answer answer;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/manifests/") ? Reaction{Kind::answer, answer, 0} : Reaction{};
  });
  const std::string index =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
  answer = {200, {{"Content-Type", oci::media_type::kOciManifest}}, index};
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); }).find("itself it says") !=
        std::string::npos);
  answer = {200, {{"Content-Type", oci::media_type::kOciManifest}}, R"({"layers":[],"layers":[]})"};
  CHECK(remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); }).find("duplicate key") !=
        std::string::npos);
  answer = {
      200, {{"Content-Type", oci::media_type::kOciManifest}}, R"({"schemaVersion":2,"layers":[],"manifests":[]})"};
  remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); });
  answer = {200, {{"Content-Type", oci::media_type::kOciManifest}}, std::string(200'000, '[')};
  remote.failing([&] { remote.client().fetch_manifest("acme/app", "1"); });
}

TEST_CASE("a registry that knows no HEAD is asked for the manifest itself") {
  for (const int status : {405, 501}) {
    CAPTURE(status);
    Remote remote;
    const oci::Descriptor image = remote.remote_image("acme/app", "v1", {"layer"});
    remote.registry.script([&](const SeenRequest& request, int) {
      return request.method == "HEAD" ? Reaction{Kind::answer, {status, {}, ""}, 0} : Reaction{};
    });
    CHECK(remote.client().resolve("acme/app", "v1") == image);
    CHECK_FALSE(remote.client().resolve("acme/app", "none"));
  }
}

TEST_CASE("a manifest without a media type takes the one of the header") {
  Remote remote;
  const std::string text = R"({"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:)" + std::string(64, '0') +
                           R"(","size":1},"layers":[]})";
  remote.registry.add_manifest("acme/app", "1", text, oci::media_type::kOciManifest);
  const FetchedManifest fetched = remote.client().fetch_manifest("acme/app", "1");
  CHECK(fetched.bytes == text);
  CHECK(fetched.descriptor.digest == oci::sha256_of(text));
}

TEST_CASE("tags are listed over all pages, and pages that go round end") {
  HostileOptions options;
  options.tags_per_page = 3;
  Remote remote(options);
  for (int i = 0; i < 8; ++i) remote.remote_image("acme/app", "t" + std::to_string(i), {"layer"});
  CHECK(remote.client().list_tags("acme/app").size() == 8);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("GET", "/tags/list")
               ? Reaction{Kind::answer,
                          {200, {{"Link", "</v2/acme/app/tags/list?last=a>; rel=\"next\""}}, R"({"tags":["a"]})"},
                          0}
               : Reaction{};
  });
  CHECK(remote.failing([&] { remote.client().list_tags("acme/app"); }).find("in a circle") != std::string::npos);
}

TEST_CASE("manifests are deleted, and a registry that does not delete is explained") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  CHECK(remote.client().delete_manifest("acme/app", image.digest.str()));
  CHECK_FALSE(remote.client().delete_manifest("acme/app", image.digest.str()));
  remote.registry.options().deletes = false;
  const oci::Descriptor again = remote.remote_image("acme/app", "1", {"layer"});
  CHECK(remote.failing([&] { remote.client().delete_manifest("acme/app", again.digest.str()); })
            .find("REGISTRY_STORAGE_DELETE_ENABLED") != std::string::npos);
}

TEST_CASE("referrers are listed by the API or by the fallback tag alike") {
  for (const bool api : {true, false}) {
    HostileOptions options;
    options.referrers_api = api;
    Remote remote(options);
    const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
    const std::string empty = "{}";
    remote.client().upload_bytes("acme/app", {oci::media_type::kOciEmpty, oci::sha256_of(empty), 2, {}, {}, {}}, empty);
    std::vector<oci::Digest> pushed;
    for (const char* type : {"application/x-sbom", "application/x-signature"}) {
      oci::Manifest manifest;
      manifest.artifact_type = type;
      manifest.config = {oci::media_type::kOciEmpty, oci::sha256_of(empty), 2, {}, {}, {}};
      manifest.subject = subject;
      const std::string text = oci::serialise(manifest);
      pushed.push_back(
          remote.client().put_manifest("acme/app", oci::sha256_of(text).str(), text, manifest.media_type).digest);
    }
    CHECK(remote.client().referrers("acme/app", subject.digest).size() == 2);
    const auto signatures = remote.client().referrers("acme/app", subject.digest, "application/x-signature");
    REQUIRE(signatures.size() == 1);
    CHECK(signatures[0].digest == pushed[1]);
    CHECK(remote.registry.tag("acme/app", referrers_fallback_tag(subject.digest)).has_value() != api);
  }
}

TEST_CASE("push access is asked for without leaving anything behind") {
  Remote remote;
  remote.client().check_push_access("acme/app");
  CHECK(remote.registry.count("DELETE", "/uploads/") == 1);
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.method == "POST"
               ? Reaction{Kind::answer, {403, {}, R"({"errors":[{"code":"DENIED","message":"no"}]})"}, 0}
               : Reaction{};
  });
  const std::string message = remote.failing([&] { remote.client().check_push_access("acme/app"); });
  CHECK(message.find("DENIED: no") != std::string::npos);
  CHECK(message.find("as 'tester' (from test)") != std::string::npos);
}

TEST_CASE("a blob that is not there is a value for those who ask whether, and an error for those who need it") {
  Remote remote;
  RegistryClient client = remote.client();
  const oci::Descriptor there = Remote::blob_of("there");
  const oci::Descriptor missing = Remote::blob_of("missing");
  remote.registry.add_blob("acme/app", "there");
  CHECK(client.find_blob_bytes("acme/app", there) == "there");
  CHECK_FALSE(client.find_blob_bytes("acme/app", missing));
  CHECK(client.download_blob_if_there("acme/app", there, remote.store));
  CHECK(remote.store.has(there.digest));
  CHECK_FALSE(client.download_blob_if_there("acme/app", missing, remote.store));
  for (const std::string& text :
       {remote.failing([&] { client.fetch_blob_bytes("acme/app", missing); }),
        remote.failing([&] { client.download_blob("acme/app", missing, remote.store); }),
        remote.failing([&] { client.stream_blob("acme/app", missing, 0, [](auto) { return AfterPiece::go_on; }); })})
    CHECK(text.find("the registry answered 404 (BLOB_UNKNOWN)") != std::string::npos);
  // Another refusal is no absence.
  remote.registry.script([](const SeenRequest& request, int) {
    return request.is("GET", "/blobs/") ? Reaction{Reaction::Kind::answer, {403, {}, ""}, 0} : Reaction{};
  });
  CHECK(remote.failing([&] { client.find_blob_bytes("acme/app", missing); }).find("answered 403") != std::string::npos);
}

TEST_CASE("a registry that tells the end of a piece as the byte behind it gets each byte once") {
  Remote remote;
  remote.settings.upload_chunk_bytes = 1000;
  remote.registry.options().chunk_min_length = 1000;
  std::vector<std::string> ranges;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (request.is("PUT", "/uploads/")) return Reaction{Reaction::Kind::answer, {201, {}, ""}, 0};
    if (!request.is("PATCH", "/uploads/")) return Reaction{};
    ranges.push_back(request.header("Content-Range"));
    const std::size_t taken = std::min<std::size_t>(1000 * ranges.size(), 2500);
    return Reaction{Reaction::Kind::answer, {202, {{"Range", fmt::format("0-{}", taken)}}, ""}, 0};
  });
  const std::string bytes = bytes_of(2500);
  remote.client().upload_bytes("acme/app", Remote::blob_of(bytes), bytes);
  CHECK(ranges == std::vector<std::string>{"0-999", "1000-1999", "2000-2499"});
}
