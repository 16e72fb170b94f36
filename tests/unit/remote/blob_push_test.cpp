#include "registry/remote/blob_push.hpp"

#include <chrono>
#include <thread>

#include "registry/remote/early_push.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// One after the other, so that what one answer teaches is known before the next question.
struct InTurn : Remote {
  explicit InTurn(HostileOptions options = {}) : Remote(std::move(options)) { settings.parallel_requests = 1; }

  RemoteRepository place(const std::string& repository) {
    return session().repository_of(reference(repository + ":1"));
  }
  // As another command of this home has it.
  RemoteSession later_session() { return RemoteSession(make_curl_client(http), settings, log, cancel, clock); }
  void forget_places() { fs::remove_all(store.home().seen_places()); }

  // The repositories that a blob was asked to be mounted from, in order.
  std::vector<std::string> mounts_asked(const std::string& of_repository) const {
    std::vector<std::string> from;
    for (const SeenRequest& request : registry.requests()) {
      const std::size_t at = request.query.find("from=");
      if (request.is("POST", "/v2/" + of_repository + "/blobs/uploads/") && at != std::string::npos)
        from.push_back(request.query.substr(at + 5));
    }
    return from;
  }
  std::vector<std::string> layers_of(std::size_t count) const {
    std::vector<std::string> layers;
    for (unsigned i = 0; i < count; ++i) layers.push_back(bytes_of(10'000 + i, i + 1));
    return layers;
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what an earlier session pushed is mounted into a new repository, and its bytes are not sent again") {
  InTurn remote;
  const std::string base = bytes_of(500'000);
  push_image(remote.session(), remote.store, {remote.image({base}), {remote.reference("acme/base:1")}});
  const std::uint64_t before = remote.registry.blob_bytes_received();
  RemoteSession later = remote.later_session();
  const oci::Descriptor image = remote.image({base, "service"});
  push_image(later, remote.store, {image, {remote.reference("acme/service:1")}});
  CHECK(remote.registry.blob_bytes_received() - before < 2000);
  CHECK(later.stats().mounted_bytes == 500'000);
  CHECK(remote.mounts_asked("acme/service") == Names{"acme%2Fbase"});
  CHECK(remote.registry.tag("acme/service", "1") == image.digest.str());
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("what an earlier session pulled is mounted into a new repository") {
  InTurn remote;
  const std::string base = bytes_of(500'000);
  remote.remote_image("acme/base", "1", {base});
  const oci::Platform platform = oci::Platform::parse("linux/amd64");
  pull_image(remote.session(), remote.store, remote.reference("acme/base:1"), platform, PullWhat::layers);
  RemoteSession later = remote.later_session();
  push_image(later, remote.store, {remote.image({base, "service"}), {remote.reference("acme/service:1")}});
  CHECK(remote.registry.blob_bytes_received() < 2000);
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("a layer is mounted from where it is likely to be, on a machine that never saw it at the registry") {
  InTurn remote;
  const std::string base = bytes_of(500'000);
  remote.registry.add_blob("acme/base", base);
  PushOptions options;
  options.likely_places[oci::sha256_of(base)] = {remote.place("acme/none"), remote.place("acme/base")};
  push_image(remote.session(), remote.store, {remote.image({base, "service"}), {remote.reference("acme/service:1")}},
             options);
  CHECK(remote.registry.blob_bytes_received() < 2000);
  CHECK(remote.mounts_asked("acme/service") == Names{"acme%2Fnone", "acme%2Fbase"});
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("an image of the same push that is at the registry already is mounted from") {
  InTurn remote;
  const std::string base = bytes_of(500'000);
  const PushRequest parent{remote.image({base}), {remote.reference("acme/base:1")}};
  push_image(remote.session(), remote.store, parent);
  remote.forget_places();
  const std::uint64_t before = remote.registry.blob_bytes_received();
  RemoteSession later = remote.later_session();
  // The new one is looked at first.
  const std::vector<PushRequest> both = {{remote.image({base, "service"}), {remote.reference("acme/service:1")}},
                                         parent};
  for (const PushOutcome& outcome : push_images(later, remote.store, both)) CHECK_FALSE(outcome.error.has_value());
  CHECK(remote.registry.blob_bytes_received() - before < 2000);
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("a guess that is wrong since the image it names is pushed at the same time does not send a layer twice") {
  InTurn remote;
  const std::string base = bytes_of(500'000);
  const std::vector<PushRequest> both = {{remote.image({base, "service"}), {remote.reference("acme/service:1")}},
                                         {remote.image({base}), {remote.reference("acme/base:1")}},
                                         {remote.image({base, "b"}), {remote.reference("acme/other:1")}}};
  PushOptions options;
  options.likely_places[oci::sha256_of(base)] = {remote.place("acme/base")};
  for (const PushOutcome& outcome : push_images(remote.session(), remote.store, both, options))
    CHECK_FALSE(outcome.error.has_value());
  CHECK(remote.registry.blob_bytes_received() < 510'000);
  CHECK(remote.session().stats().mounted_bytes == 2 * 500'000);
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("a layer whose mounting is refused is sent, after two attempts at most") {
  HostileOptions refusing;
  refusing.mounts = false;
  InTurn remote(refusing);
  const std::string base = bytes_of(50'000);
  PushOptions options;
  options.likely_places[oci::sha256_of(base)] = {remote.place("acme/a"), remote.place("acme/b"),
                                                 remote.place("acme/c")};
  const oci::Descriptor image = remote.image({base});
  push_image(remote.session(), remote.store, {image, {remote.reference("acme/service:1")}}, options);
  CHECK(remote.mounts_asked("acme/service") == Names{"acme%2Fa", "acme%2Fb"});
  CHECK(remote.registry.blob_bytes_received() > 50'000);
  CHECK(remote.registry.tag("acme/service", "1") == image.digest.str());
  CHECK(remote.registry.broken_tags().empty());
  // The uploads that it began in place of mounting were cancelled.
  CHECK(remote.registry.count("DELETE", "/v2/acme/service/blobs/uploads/") == 2);
}

TEST_CASE("two repositories between which two guesses were wrong are not guessed about for further layers") {
  InTurn remote;
  const std::vector<std::string> layers = remote.layers_of(6);
  PushOptions options;
  for (const std::string& layer : layers) options.likely_places[oci::sha256_of(layer)] = {remote.place("acme/none")};
  push_image(remote.session(), remote.store, {remote.image(layers), {remote.reference("acme/service:1")}}, options);
  CHECK(remote.mounts_asked("acme/service") == Names(2, "acme%2Fnone"));
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("two repositories between which a registry refused to mount what it has twice are not asked about again") {
  HostileOptions refusing;
  refusing.mounts = false;
  InTurn remote(refusing);
  const std::vector<std::string> layers = remote.layers_of(6);
  push_image(remote.session(), remote.store, {remote.image(layers), {remote.reference("acme/base:1")}});
  push_image(remote.session(), remote.store, {remote.image(layers), {remote.reference("acme/service:1")}});
  CHECK(remote.mounts_asked("acme/service") == Names(2, "acme%2Fbase"));
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("a place where a layer was seen and that has lost it costs an attempt, and the layer is sent") {
  InTurn remote;
  const std::string base = bytes_of(50'000);
  push_image(remote.session(), remote.store, {remote.image({base}), {remote.reference("acme/base:1")}});
  remote.registry.drop_blob("acme/base", oci::sha256_of(base).str());
  RemoteSession later = remote.later_session();
  push_image(later, remote.store, {remote.image({base, "service"}), {remote.reference("acme/service:1")}});
  CHECK(remote.mounts_asked("acme/service") == Names{"acme%2Fbase"});
  CHECK(remote.registry.has_blob("acme/service", oci::sha256_of(base).str()));
}

TEST_CASE("what is sent while an image is being built is mounted from where an earlier session saw it") {
  InTurn remote;
  const std::string layer = bytes_of(50'000);
  push_image(remote.session(), remote.store, {remote.image({layer}), {remote.reference("acme/base:1")}});
  const std::uint64_t before = remote.registry.blob_bytes_received();
  RemoteSession later = remote.later_session();
  const RemoteRepository place = remote.place("acme/service");
  {
    EarlyPush early(later, remote.store, nullptr);
    early.add(place, Remote::blob_of(layer));
    for (int i = 0; i < 2000 && !early.has(place, oci::sha256_of(layer)); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(early.has(place, oci::sha256_of(layer)));
  }
  CHECK(remote.registry.blob_bytes_received() == before);
  CHECK(remote.registry.has_blob("acme/service", oci::sha256_of(layer).str()));
}
