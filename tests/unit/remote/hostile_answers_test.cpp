#include <algorithm>
#include <cstdlib>
#include <thread>

#include "base/file.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/retry.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {

// An artifact that refers to `subject`, its empty config already at the registry.
std::string referrer_to(const oci::Descriptor& subject, const std::string& type) {
  oci::Manifest manifest;
  manifest.artifact_type = type;
  manifest.config = {oci::media_type::kOciEmpty, oci::sha256_of("{}"), 2, {}, {}, {}};
  manifest.subject = subject;
  return oci::serialise(manifest);
}

oci::Descriptor put_referrer(RegistryClient client, const oci::Descriptor& subject, const std::string& type) {
  const std::string text = referrer_to(subject, type);
  return client.put_manifest("acme/app", oci::sha256_of(text).str(), text, oci::media_type::kOciManifest);
}

// 64 MiB of zeros as gzip: 64 kB.
std::string gzip_bomb() {
  const TempDir folder;
  const fs::path file = folder.path() / "bomb.gz";
  REQUIRE(std::system(("head -c 64M /dev/zero | gzip -9 > '" + file.string() + "'").c_str()) == 0);
  return read_file(file);
}

}  // namespace

TEST_CASE("a mount that is refused becomes an upload, and the tag is whole") {
  for (const int status : {400, 401, 403, 404, 405, 416}) {
    CAPTURE(status);
    Remote remote;
    const std::string layer = bytes_of(40'000);
    remote.remote_image("acme/base", "1", {layer});
    remote.session().locations().add(oci::sha256_of(layer),
                                     {{remote.registry.authority(), Security::verified}, "acme/base"});
    remote.registry.script([&](const SeenRequest& request, int) {
      const bool is_mount = request.method == "POST" && request.query.find("mount=") != std::string::npos;
      return is_mount ? Reaction{Kind::answer, {status, {}, R"({"errors":[{"code":"UNSUPPORTED"}]})"}, 0} : Reaction{};
    });
    const oci::Descriptor image = remote.image({layer});
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
    CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
    CHECK(remote.registry.broken_tags().empty());
    const auto requests = remote.registry.requests();
    CHECK(std::any_of(requests.begin(), requests.end(),
                      [](const SeenRequest& r) { return r.query.find("mount=") != std::string::npos; }));
  }
}

TEST_CASE("every scope that a registry names when it refuses a token is asked for, with our own") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  Remote remote(options);
  remote.remote_image("acme/app", "1", {"layer"});
  const std::string challenge =
      "Bearer realm=\"http://" + remote.registry.authority() +
      "/token\",service=\"hostile\",scope=\"repository:acme/app:pull repository:acme/base:pull,push\"";
  bool refused = false;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (refused || !request.is("HEAD", "/manifests/") || request.header("Authorization").empty()) return Reaction{};
    refused = true;
    return Reaction{Kind::answer, {401, {{"WWW-Authenticate", challenge}}, ""}, 0};
  });
  CHECK(remote.client().resolve("acme/app", "1").has_value());
  std::string asked;
  for (const SeenRequest& request : remote.registry.requests()) {
    if (request.path == "/token") asked = request.query;
  }
  CHECK(asked.find("scope=repository%3Aacme%2Fapp%3Apull") != std::string::npos);
  CHECK(asked.find("scope=repository%3Aacme%2Fbase%3Apull%2Cpush") != std::string::npos);
}

TEST_CASE("referrers that are pushed at the same time are all listed by the fallback tag") {
  Remote remote;
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  remote.client().upload_bytes("acme/app", {oci::media_type::kOciEmpty, oci::sha256_of("{}"), 2, {}, {}, {}}, "{}");
  RemoteSession& session = remote.session();
  const RegistryClient client = remote.client();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 8; ++i) put_referrer(client, subject, "application/x-" + std::to_string(writer * 8 + i));
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(
      session.client({remote.registry.authority(), Security::verified}).referrers("acme/app", subject.digest).size() ==
      16);
}

TEST_CASE("a referrer that another machine overwrites is written again, and told where that never ends") {
  Remote remote;
  const oci::Descriptor subject = remote.remote_image("acme/app", "1", {"layer"});
  remote.client().upload_bytes("acme/app", {oci::media_type::kOciEmpty, oci::sha256_of("{}"), 2, {}, {}, {}}, "{}");
  int lost = 2;
  const std::string tag = referrers_fallback_tag(subject.digest);
  // Taken, and at once replaced by somebody's: the tag is as it was.
  remote.registry.script([&](const SeenRequest& request, int) {
    const bool is_overwritten = request.is("PUT", "/manifests/" + tag) && lost > 0;
    if (is_overwritten) --lost;
    return is_overwritten ? Reaction{Kind::answer, {201, {}, ""}, 0} : Reaction{};
  });
  put_referrer(remote.client(), subject, "application/x-first");
  CHECK(lost == 0);
  CHECK(remote.client().referrers("acme/app", subject.digest).size() == 1);
  lost = 1000;
  CHECK(remote.failing([&] { put_referrer(remote.client(), subject, "application/x-second"); })
            .find("others overwrote it") != std::string::npos);
}

TEST_CASE("a compressed bomb in place of a manifest or a config is refused unopened") {
  const std::string bomb = gzip_bomb();
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  for (const char* part : {"/manifests/", "/blobs/"}) {
    CAPTURE(part);
    remote.registry.script([&](const SeenRequest& request, int) {
      if (!request.is("GET", part)) return Reaction{};
      return Reaction{Kind::answer,
                      {200, {{"Content-Type", oci::media_type::kOciManifest}, {"Content-Encoding", "gzip"}}, bomb},
                      0};
    });
    const std::string message = remote.failing([&] {
      pull_image(remote.session(), remote.store, remote.reference("acme/app:1"), oci::Platform::parse("linux/amd64"),
                 PullWhat::manifests);
    });
    CHECK(message.size() < 2000);
    CHECK_FALSE(remote.store.has(oci::sha256_of(bomb)));
    // As it came over the wire, not 64 MiB.
    CHECK(remote.session().stats().pulled_bytes < 8 * bomb.size());
  }
}
