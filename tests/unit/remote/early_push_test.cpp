#include "registry/remote/early_push.hpp"

#include <condition_variable>

#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// Lets uploads wait until the test says otherwise, and counts how they ended.
class Watched : public TransferObserver {
 public:
  void transfer_started(const Transfer&) override {
    std::unique_lock lock(mutex_);
    ++started_;
    most_at_once_ = std::max(most_at_once_, ++open_);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !is_held_; });
  }
  void transfer_ended(const Transfer&, TransferOutcome outcome) override {
    const std::lock_guard lock(mutex_);
    --open_;
    ++ended_[outcome];
    changed_.notify_all();
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    is_held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    is_held_ = false;
    changed_.notify_all();
  }
  void wait_for_started(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_ >= count; });
  }
  void wait_for_ended(TransferOutcome outcome, int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_[outcome] >= count; });
  }
  int ended(TransferOutcome outcome) {
    const std::lock_guard lock(mutex_);
    return ended_[outcome];
  }
  int most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_held_ = false;
  int started_ = 0;
  int open_ = 0;
  int most_at_once_ = 0;
  std::map<TransferOutcome, int> ended_;
};

RemoteRepository place_of(Remote& remote, const std::string& repository) {
  return remote.session().repository_of(remote.reference(repository + ":1"));
}

bool waits_for(EarlyPush& early, const RemoteRepository& place, const std::string& blob) {
  for (int i = 0; i < 2000 && !early.has(place, oci::sha256_of(blob)); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return early.has(place, oci::sha256_of(blob));
}

}  // namespace

TEST_CASE("what was sent early is neither asked about nor sent by the push") {
  Remote remote;
  const std::string layer = bytes_of(200'000);
  const oci::Descriptor image = remote.image({layer, "small"});
  const RemoteRepository place = place_of(remote, "acme/app");
  EarlyPush early(remote.session(), remote.store, nullptr);
  early.add(place, Remote::blob_of(layer));
  REQUIRE(waits_for(early, place, layer));
  const std::string blob = "/v2/acme/app/blobs/" + oci::sha256_of(layer).str();
  CHECK(remote.registry.count("HEAD", blob) == 1);
  CHECK(remote.registry.count("PUT", "/manifests/") == 0);
  PushOptions options;
  options.early = &early;
  push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1"), remote.reference("acme/app:2")}},
             options);
  CHECK(remote.registry.count("HEAD", blob) == 1);
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.tag("acme/app", "2") == image.digest.str());
  CHECK(remote.registry.blob_bytes_received() < 250'000);
}

TEST_CASE("a push waits for the upload of a blob that is under way, and other repositories mount it") {
  Remote remote;
  const std::string layer = bytes_of(200'000);
  const oci::Descriptor image = remote.image({layer});
  Watched watched;
  watched.hold();
  EarlyPush early(remote.session(), remote.store, &watched);
  early.add(place_of(remote, "acme/app"), Remote::blob_of(layer));
  watched.wait_for_started(1);
  PushOptions options;
  options.early = &early;
  std::thread release([&] {
    while (remote.registry.count("PUT", "/uploads/") < 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // of the config
    watched.release();
  });
  push_image(remote.session(), remote.store,
             {image, {remote.reference("acme/app:1"), remote.reference("acme/other:1")}}, options);
  release.join();
  CHECK(watched.ended(TransferOutcome::transferred) == 1);
  CHECK(remote.registry.broken_tags().empty());
  CHECK(remote.registry.tag("acme/other", "1") == image.digest.str());
  CHECK(remote.registry.blob_bytes_received() < 250'000);
  CHECK(remote.session().stats().mounted_bytes >= 200'000);
}

TEST_CASE("at most two blobs are sent early at once, each to a registry once, and what waits is left to the push") {
  Remote remote;
  std::vector<std::string> layers;
  for (unsigned i = 0; i < 5; ++i) layers.push_back(bytes_of(1000, i + 1));
  const oci::Descriptor image = remote.image(layers);
  Watched watched;
  watched.hold();
  {
    EarlyPush early(remote.session(), remote.store, &watched);
    for (const std::string& layer : layers) early.add(place_of(remote, "acme/app"), Remote::blob_of(layer));
    early.add(place_of(remote, "acme/other"), Remote::blob_of(layers[0]));
    watched.wait_for_started(2);
    early.hand_over();
    watched.release();
  }
  CHECK(watched.most_at_once() == 2);
  CHECK(watched.ended(TransferOutcome::transferred) == 2);
  CHECK(remote.registry.count("PUT", "/v2/acme/other/") == 0);
  push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}});
  CHECK(remote.registry.broken_tags().empty());
}

TEST_CASE("what is at the registry already is not sent early") {
  Remote remote;
  const std::string layer = bytes_of(1000);
  remote.registry.add_blob("acme/app", layer);
  remote.store.put(layer, oci::media_type::kOciLayerGzip);
  Watched watched;
  const RemoteRepository place = place_of(remote, "acme/app");
  EarlyPush early(remote.session(), remote.store, &watched);
  early.add(place, Remote::blob_of(layer));
  CHECK(waits_for(early, place, layer));
  CHECK(watched.ended(TransferOutcome::skipped) == 1);
  CHECK(remote.registry.blob_bytes_received() == 0);
}

TEST_CASE("a registry that refuses once is left alone until the push, which says why or succeeds") {
  Remote remote;
  const oci::Descriptor image = remote.image({"one", "two"});
  std::atomic<bool> refuses = true;
  remote.registry.script([&](const SeenRequest& request, int) {
    return refuses && request.is("POST", "/blobs/uploads/") ? Reaction{Reaction::Kind::answer, {403, {}, "{}"}, 0}
                                                            : Reaction{};
  });
  const RemoteRepository place = place_of(remote, "acme/app");
  Watched watched;
  EarlyPush early(remote.session(), remote.store, &watched);
  early.add(place, Remote::blob_of("one"));
  watched.wait_for_ended(TransferOutcome::deferred, 1);
  PushOptions options;
  SUBCASE("it refuses still") {
    options.early = &early;
    const std::string message = remote.failing([&] {
      push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}}, options);
    });
    CHECK(message.find("403") != std::string::npos);
    CHECK_FALSE(remote.registry.tag("acme/app", "1").has_value());
  }
  SUBCASE("it has come round") {
    refuses = false;
    while (remote.log.text().find("is left to the push") == std::string::npos)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    early.add(place, Remote::blob_of("two"));
    options.early = &early;
    push_image(remote.session(), remote.store, {image, {remote.reference("acme/app:1")}}, options);
    CHECK(watched.ended(TransferOutcome::transferred) == 0);
    CHECK(remote.registry.broken_tags().empty());
    CHECK(remote.registry.tag("acme/app", "1") == image.digest.str());
  }
}

TEST_CASE("an upload that the registry never answers ends soon after its session is cancelled") {
  Remote remote;
  const std::string layer = bytes_of(3'000'000);
  remote.store.put(layer, oci::media_type::kOciLayerGzip);
  remote.registry.script([](const SeenRequest& request, int) {
    return request.is("PUT", "/uploads/") ? Reaction{Reaction::Kind::stop_reading, {}, 1000} : Reaction{};
  });
  Watched watched;
  {
    EarlyPush early(remote.session(), remote.store, &watched);
    early.add(place_of(remote, "acme/app"), Remote::blob_of(layer));
    watched.wait_for_started(1);
    remote.cancel.cancel(15);
  }
  CHECK(watched.ended(TransferOutcome::deferred) == 1);
}

TEST_CASE("a layer that ghcr.io would not take is not sent early, and nothing is asked about it") {
  // Has every blob.
  class Ghcr : public HttpClient {
   public:
    explicit Ghcr(std::string& asked) : asked_(asked) {}
    HttpResponse send(const HttpRequest& request, const CancelToken&) override {
      const std::lock_guard lock(mutex_);
      asked_ += request.url.path + "\n";
      HttpResponse response;
      response.status = 200;
      response.headers.add("Content-Length", "5");
      return response;
    }

   private:
    std::mutex mutex_;
    std::string& asked_;
  };
  Remote remote;
  std::string asked;
  RemoteSession session(std::make_unique<Ghcr>(asked), {}, remote.log, CancelToken(), remote.clock);
  const RemoteRepository place{{"ghcr.io", Security::verified}, "acme/app"};
  {
    EarlyPush early(session, remote.store, nullptr);
    oci::Descriptor large = Remote::blob_of("large");
    large.size = 10'000'000'001;
    early.add(place, large);
    early.add(place, Remote::blob_of("small"));
    CHECK(waits_for(early, place, "small"));
  }
  CHECK(asked.find(oci::sha256_of("small").str()) != std::string::npos);
  CHECK(asked.find(oci::sha256_of("large").str()) == std::string::npos);
}
