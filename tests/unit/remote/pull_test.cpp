#include "registry/remote/pull.hpp"

#include <thread>

#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {
const oci::Platform kAmd = oci::Platform::parse("linux/amd64");

PulledImage pull(Remote& remote, const std::string& name, PullWhat what = PullWhat::manifests) {
  return pull_image(remote.session(), remote.store, remote.reference(name), kAmd, what);
}
}  // namespace

TEST_CASE("a lazy pull fetches the manifest and the config and no layer") {
  Remote remote;
  const std::string layer = bytes_of(100'000);
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {layer});
  const PulledImage pulled = pull(remote, "acme/app:1");
  CHECK(pulled.manifest.digest == image.digest);
  CHECK(pulled.reference.digest == image.digest);
  CHECK(pulled.config.platform == kAmd);
  CHECK_FALSE(remote.store.has(oci::sha256_of(layer)));
  CHECK(remote.registry.count("GET", "/blobs/") == 1);

  fetch_blob(remote.session(), remote.store, pulled.parsed.layers[0], pulled.source);
  CHECK(remote.store.has(oci::sha256_of(layer)));
  fetch_blob(remote.session(), remote.store, pulled.parsed.layers[0], {});
  CHECK(remote.registry.count("GET", "/blobs/") == 2);
}

TEST_CASE("an image that the store knows by digest costs no request for it") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image("acme/app", "1", {"layer"});
  pull(remote, "acme/app:1", PullWhat::layers);
  const auto before = remote.registry.requests().size();
  pull(remote, "acme/app@" + image.digest.str(), PullWhat::layers);
  CHECK(remote.registry.requests().size() == before);
}

TEST_CASE("the platform's manifest is chosen from an index, and the others are named") {
  Remote remote;
  oci::Index index;
  for (const char* platform : {"linux/amd64", "linux/arm64"}) {
    oci::Descriptor entry = remote.remote_image("acme/app", "", {platform}, platform);
    entry.platform = oci::Platform::parse(platform);
    index.manifests.push_back(entry);
  }
  remote.registry.add_manifest("acme/app", "1", oci::serialise(index), index.media_type);
  const PulledImage pulled = pull(remote, "acme/app:1", PullWhat::layers);
  CHECK(pulled.manifest.digest == index.manifests[0].digest);
  CHECK(pulled.root.digest == oci::sha256_of(oci::serialise(index)));
  CHECK(pulled.index_bytes == oci::serialise(index));
  const std::string message = remote.failing([&] {
    pull_image(remote.session(), remote.store, remote.reference("acme/app:1"), oci::Platform::parse("linux/s390x"),
               PullWhat::manifests);
  });
  CHECK(message.find("linux/amd64, linux/arm64") != std::string::npos);
}

TEST_CASE("an image of another platform is refused") {
  Remote remote;
  remote.remote_image("acme/app", "1", {"layer"}, "linux/arm64");
  CHECK(remote.failing([&] { pull(remote, "acme/app:1"); }).find("it has: linux/arm64") != std::string::npos);
}

TEST_CASE("an index whose entry lies about size or digest is refused") {
  for (const bool size : {true, false}) {
    Remote remote;
    oci::Descriptor entry = remote.remote_image("acme/app", "", {"layer"});
    entry.platform = kAmd;
    oci::Index index;
    if (size) entry.size += 1;
    index.manifests.push_back(entry);
    remote.registry.add_manifest("acme/app", "1", oci::serialise(index), index.media_type);
    if (!size) {
      remote.registry.script([&](const SeenRequest& request, int) {
        return request.is("GET", "/manifests/sha256:")
                   ? Reaction{Kind::answer, {200, {{"Content-Type", entry.media_type}}, "{}"}, 0}
                   : Reaction{};
      });
    }
    remote.failing([&] { pull(remote, "acme/app:1"); });
  }
}

TEST_CASE("a config that does not fit its manifest is refused") {
  Remote remote;
  oci::ImageConfig config;
  config.platform = kAmd;
  const std::string text = oci::serialise(config);
  remote.registry.add_blob("acme/app", text);
  remote.registry.add_blob("acme/app", "layer");
  oci::Manifest manifest;
  manifest.config = {oci::media_type::kOciConfig, oci::sha256_of(text), text.size(), {}, {}, {}};
  manifest.layers = {Remote::blob_of("layer")};
  remote.registry.add_manifest("acme/app", "1", oci::serialise(manifest), manifest.media_type);
  CHECK(remote.failing([&] { pull(remote, "acme/app:1"); }).find("1 layers, its config 0") != std::string::npos);
}

TEST_CASE("a layer that the store has with another size is refused as what the registry says") {
  Remote remote;
  remote.remote_image("acme/app", "1", {"layer"});
  PulledImage image = pull(remote, "acme/app:1", PullWhat::layers);
  oci::Manifest& manifest = image.parsed;
  manifest.layers[0].size = 4;
  remote.registry.add_manifest("acme/app", "2", oci::serialise(manifest), manifest.media_type);
  CHECK(remote.failing([&] { pull(remote, "acme/app:2"); }).find("has 5 bytes, the manifest says 4") !=
        std::string::npos);
}

TEST_CASE("threads that want the same blob make one download") {
  Remote remote;
  const std::string layer = bytes_of(500'000);
  remote.remote_image("acme/app", "1", {layer});
  const PulledImage pulled = pull(remote, "acme/app:1");
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] { fetch_blob(remote.session(), remote.store, pulled.parsed.layers[0], pulled.source); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(remote.registry.count("GET", "/blobs/") == 2);  // config and layer
}

TEST_CASE("transfers are told about from their start to their end") {
  class Counting : public TransferObserver {
   public:
    void transfer_started(const Transfer&) override { ++started; }
    void transfer_advanced(const Transfer& transfer, std::uint64_t done) override {
      whole += done == transfer.blob.size ? 1 : 0;
    }
    void transfer_ended(const Transfer&, TransferOutcome outcome) override {
      ended += outcome == TransferOutcome::transferred ? 1 : 0;
    }
    std::atomic<int> started{0}, whole{0}, ended{0};
  } observer;
  Remote remote;
  remote.remote_image("acme/app", "1", {bytes_of(1000), bytes_of(2000, 2)});
  pull_image(remote.session(), remote.store, remote.reference("acme/app:1"), kAmd, PullWhat::layers, &observer);
  CHECK(observer.started == 2);
  CHECK(observer.whole == 2);
  CHECK(observer.ended == 2);
}

TEST_CASE("a name that nothing has resolves to nothing, and pulling it is an error that names it") {
  Remote remote;
  CHECK_FALSE(resolve_image(remote.session(), remote.reference("acme/none:1")).has_value());
  const std::string message = remote.failing([&] { pull(remote, "acme/none:1"); });
  CHECK(message.find("404") != std::string::npos);
  CHECK(message.find("while pulling '" + remote.registry.authority() + "/acme/none:1'") != std::string::npos);
}
