#include "registry/remote/push.hpp"

#include <mutex>
#include <random>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "registry/store/closure.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// In the store with its config, without its only layer.
oci::Descriptor image_that_lacks(Remote& remote, const oci::Descriptor& layer) {
  oci::Manifest manifest;
  oci::ImageConfig config;
  config.platform = oci::Platform::parse("linux/amd64");
  manifest.layers.push_back(layer);
  manifest.config = remote.store.put(oci::serialise(config), oci::media_type::kOciConfig);
  return remote.store.put(oci::serialise(manifest), manifest.media_type);
}

}  // namespace

TEST_CASE("a pushed image is whole at the registry and pulls back with the same digest") {
  Remote remote;
  const oci::Descriptor image = remote.image({bytes_of(300'000), bytes_of(10, 2)});
  const PushOutcome outcome = push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  REQUIRE(outcome.targets.size() == 1);
  CHECK(outcome.targets[0].outcome == TransferOutcome::transferred);
  CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
  CHECK(remote.registry.broken_tags().empty());

  Remote other;
  other.settings.credentials = remote.settings.credentials;
  const PulledImage pulled = pull_image(other.session(), other.store, remote.reference("acme/app:1"),
                                        oci::Platform::parse("linux/amd64"), PullWhat::layers);
  CHECK(pulled.manifest.digest == image.digest);
  CHECK(missing_blobs(other.store, pulled.manifest).empty());
}

TEST_CASE("an image that is already there costs one request for each tag") {
  Remote remote;
  const oci::Descriptor image = remote.image({bytes_of(1000)});
  const PushRequest request{image, {remote.reference("acme/app:1"), remote.reference("acme/app:latest")}};
  push_image(remote.session(), remote.store, request);
  const auto before = remote.registry.requests().size();
  const PushOutcome outcome = push_image(remote.session(), remote.store, request);
  CHECK(outcome.targets[0].outcome == TransferOutcome::skipped);
  CHECK(outcome.targets[1].outcome == TransferOutcome::skipped);
  CHECK(remote.registry.requests().size() - before == 2);
}

TEST_CASE("images that share a layer upload it once and mount it for the others") {
  Remote remote;
  const std::string shared = bytes_of(500'000);
  std::vector<PushRequest> requests;
  for (int i = 0; i < 10; ++i) {
    requests.push_back({remote.image({shared, bytes_of(100, static_cast<unsigned>(i) + 10)}),
                        {remote.reference("acme/app" + std::to_string(i) + ":1")}});
  }
  const auto outcomes = push_images(remote.session(), remote.store, requests);
  for (const PushOutcome& outcome : outcomes) CHECK_FALSE(outcome.error.has_value());
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.blob_bytes_received() < 600'000);
  CHECK(remote.session().stats().mounted_bytes == 9 * 500'000);
  for (int i = 0; i < 10; ++i) {
    CHECK(remote.registry.count("HEAD", "/acme/app" + std::to_string(i) + "/blobs/" + oci::sha256_of(shared).str()) <=
          3);
  }
}

TEST_CASE("where the registry mounts nothing, shared layers are uploaded to each repository") {
  HostileOptions options;
  options.mounts = false;
  Remote remote(options);
  const std::string shared = bytes_of(50'000);
  const std::vector<PushRequest> requests = {{remote.image({shared, "a"}), {remote.reference("acme/a:1")}},
                                             {remote.image({shared, "b"}), {remote.reference("acme/b:1")}}};
  for (const PushOutcome& outcome : push_images(remote.session(), remote.store, requests))
    CHECK_FALSE(outcome.error.has_value());
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.blob_bytes_received() > 100'000);
}

TEST_CASE("a layer that is not in the store is streamed from the registry that has it") {
  Remote source;
  Remote target;
  const std::string layer = bytes_of(3'000'000);
  const oci::Descriptor image = source.remote_image("acme/base", "1", {layer});
  const PulledImage pulled = pull_image(target.session(), target.store, source.reference("acme/base:1"),
                                        oci::Platform::parse("linux/amd64"), PullWhat::manifests);
  CHECK_FALSE(target.store.has(oci::sha256_of(layer)));
  push_image(target.session(), target.store, {pulled.root, {target.reference("acme/copy:1")}});
  CHECK(target.registry.tag("acme/copy", "1") == image.digest.str());
  CHECK(target.registry.broken_tags().empty());
  CHECK_FALSE(target.store.has(oci::sha256_of(layer)));
}

TEST_CASE("a layer that is not in the store is mounted from another repository of the same registry") {
  Remote remote;
  const std::string layer = bytes_of(100'000);
  remote.remote_image("acme/base", "1", {layer});
  const PulledImage pulled = pull_image(remote.session(), remote.store, remote.reference("acme/base:1"),
                                        oci::Platform::parse("linux/amd64"), PullWhat::manifests);
  push_image(remote.session(), remote.store, {pulled.root, {remote.reference("acme/copy:1")}});
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.blob_bytes_received() == 0);
}

TEST_CASE("a layer that nobody has stops the push before any tag is written") {
  Remote remote;
  const oci::Descriptor image = image_that_lacks(remote, Remote::blob_of("nowhere"));
  const std::string message = remote.failing([&] {
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  });
  CHECK(message.find("no registry is known to have it") != std::string::npos);
  CHECK_FALSE(remote.registry.tag("acme/app", "1").has_value());
}

TEST_CASE(
    "a transfer of a layer that nobody has is deferred where the caller was asked for the layer, else it failed") {
  struct Ends : TransferObserver {
    void transfer_ended(const Transfer& transfer, TransferOutcome outcome) override {
      const std::lock_guard lock(mutex);
      if (transfer.blob.digest == Remote::blob_of("nowhere").digest) outcomes.push_back(outcome);
    }
    std::mutex mutex;
    std::vector<TransferOutcome> outcomes;
  } ends;
  Remote remote;
  const PushRequest request{image_that_lacks(remote, Remote::blob_of("nowhere")), {remote.reference("acme/app:1")}};
  PushOptions options;
  int asked = 0;
  options.fetch = [&](const oci::Descriptor&) { return ++asked, false; };
  CHECK(push_images(remote.session(), remote.store, {&request, 1}, options, &ends).front().error.has_value());
  CHECK(asked == 1);
  CHECK(push_images(remote.session(), remote.store, {&request, 1}, {}, &ends).front().error.has_value());
  CHECK(ends.outcomes == std::vector{TransferOutcome::deferred, TransferOutcome::failed});
}

TEST_CASE("one image's failure does not stop the others") {
  Remote remote;
  remote.registry.script([](const SeenRequest& request, int) {
    return request.is("POST", "/acme/bad/") ? Reaction{Reaction::Kind::answer, {403, {}, "{}"}, 0} : Reaction{};
  });
  const std::vector<PushRequest> requests = {{remote.image({"a"}), {remote.reference("acme/bad:1")}},
                                             {remote.image({"b"}), {remote.reference("acme/good:1")}}};
  const auto outcomes = push_images(remote.session(), remote.store, requests);
  REQUIRE(outcomes[0].error.has_value());
  CHECK(outcomes[0].error->message().find("403") != std::string::npos);
  CHECK_FALSE(outcomes[1].error.has_value());
  CHECK_FALSE(remote.registry.tag("acme/bad", "1").has_value());
  CHECK(remote.registry.tag("acme/good", "1").has_value());
}

TEST_CASE("a registry that loses a blob it took gets it again, and the tag follows") {
  Remote remote;
  const std::string layer = bytes_of(2000);
  const oci::Descriptor image = remote.image({layer});
  bool lost = false;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (request.is("PUT", "/manifests/") && !lost) {
      lost = true;
      return Reaction{
          Reaction::Kind::answer,
          {404, {}, R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]})"},
          0};
    }
    return Reaction{};
  });
  push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  CHECK(lost);
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
}

TEST_CASE("a registry that answers with another digest than it was sent is not believed") {
  Remote remote;
  remote.registry.script([&](const SeenRequest& request, int) {
    return request.is("PUT", "/manifests/")
               ? Reaction{Reaction::Kind::answer, {201, {{"Docker-Content-Digest", oci::sha256_of("x").str()}}, ""}, 0}
               : Reaction{};
  });
  const oci::Descriptor image = remote.image({"a"});
  const std::string message = remote.failing([&] {
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  });
  CHECK(message.find("says it stored") != std::string::npos);
}

TEST_CASE("an index is pushed after its manifests") {
  Remote remote;
  oci::Index index;
  for (const char* text : {"one", "two"}) index.manifests.push_back(remote.image({text}));
  const oci::Descriptor root = remote.store.put(oci::serialise(index), index.media_type);
  push_image(remote.session(), remote.store, {root, {remote.reference("acme/multi:1")}});
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.tag("acme/multi", "1") == root.digest.str());
}

TEST_CASE("faults in every twentieth request break no push and no tag") {
  // KILN_STRESS_PUSHES and KILN_STRESS_SEED ask for more, or for the same again.
  const int pushes =
      static_cast<int>(parse_unsigned(environment_variable("KILN_STRESS_PUSHES").value_or("")).value_or(50));
  const auto seed =
      parse_unsigned(environment_variable("KILN_STRESS_SEED").value_or("")).value_or(std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  Remote remote;
  int faults = 0;
  remote.registry.script([&](const SeenRequest&, int) {
    if (random() % 20 != 0) return Reaction{};
    ++faults;
    switch (random() % 6) {
      case 0:
        return Reaction{Reaction::Kind::reset, {}, 0};
      case 1:
        return Reaction{Reaction::Kind::serve_then_reset, {}, 0};
      case 2:
        return Reaction{Reaction::Kind::answer, {503, {}, ""}, 0};
      case 3:
        return Reaction{Reaction::Kind::answer, {429, {{"Retry-After", "1"}}, ""}, 0};
      case 4:
        return Reaction{Reaction::Kind::reset_midway, {}, 1000};
      default:
        return Reaction{Reaction::Kind::answer, {502, {}, "<html>bad gateway</html>"}, 0};
    }
  });
  std::uint64_t bytes = 0;
  std::vector<PushRequest> requests;
  for (int i = 0; i < pushes; ++i) {
    const auto content = static_cast<unsigned>(i) * 3 + 100;
    requests.push_back({remote.image({bytes_of(20'000, content), bytes_of(5'000, content + 1)}),
                        {remote.reference("acme/app:" + std::to_string(i))}});
    bytes += 25'000;
  }
  int failed = 0;
  for (const PushOutcome& outcome : push_images(remote.session(), remote.store, requests))
    failed += outcome.error ? 1 : 0;
  MESSAGE(pushes << " pushes, " << faults << " faults, " << failed << " failed, "
                 << remote.registry.blob_bytes_received() << " of " << bytes << " bytes sent");
  CHECK(faults > pushes / 10);
  CHECK(failed * 1000 <= pushes);
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.blob_bytes_received() < bytes * 12 / 10);
}

TEST_CASE("tokens that are refused in the middle of a push are renewed, and the push goes on") {
  HostileOptions options;
  options.auth = HostileOptions::Auth::token;
  Remote remote(options);
  std::set<std::string> refused;
  const std::string challenge = "Bearer realm=\"http://" + remote.registry.authority() + "/token\",service=\"hostile\"";
  remote.registry.script([&](const SeenRequest& request, int) {
    for (const char* step : {"POST", "PUT", "HEAD"}) {
      const bool is_one =
          request.method == step && request.path.find("/v2/acme/app/") == 0 && !request.header("Authorization").empty();
      if (is_one && refused.insert(step).second)
        return Reaction{Reaction::Kind::answer, {401, {{"WWW-Authenticate", challenge}}, "{}"}, 0};
    }
    return Reaction{};
  });
  const oci::Descriptor image = remote.image({bytes_of(300'000)});
  push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  CHECK(refused.size() == 3);
  CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.tokens_issued() >= 4);
}

TEST_CASE("a cancelled push throws and leaves no broken tag") {
  Remote remote;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (request.is("PUT", "/blobs/")) {
      remote.cancel.cancel(2);
      return Reaction{Reaction::Kind::stall, {}, 0};
    }
    return Reaction{};
  });
  const oci::Descriptor image = remote.image({bytes_of(1000)});
  remote.failing([&] { push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}}); });
  CHECK_FALSE(remote.registry.tag("acme/app", "1").has_value());
}

TEST_CASE("a tag is given to an image that is there without moving its blobs") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  CHECK(tag_image(remote.session(), remote.reference("acme/app:1"), "stable").digest == image.digest);
  CHECK(remote.registry.tag("acme/app", "stable") == image.digest.str());
  CHECK(remote.registry.blob_bytes_received() == 0);
}
