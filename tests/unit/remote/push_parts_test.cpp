#include "registry/remote/push_parts.hpp"

#include "registry/remote/registry_client.hpp"
#include "registry/remote/retry.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// An image of three layers whose history says what made them, with an empty step between.
struct Told {
  TempDir home;
  ContentStore store{HomeLayout::open(home.path())};
  oci::Manifest manifest;
  oci::Descriptor root;

  explicit Told(std::uint64_t second_bytes = 3) {
    oci::ImageConfig config;
    config.platform = oci::Platform::parse("linux/amd64");
    for (const char* text : {"one", "two", "three"}) {
      manifest.layers.push_back(store.put(text, oci::media_type::kOciLayerGzip));
      config.diff_ids.push_back(manifest.layers.back().digest);
      config.history.push_back({"", std::string("RUN make ") + text, "", "", false});
      config.history.push_back({"", "ENV A=b", "", "", true});
    }
    manifest.layers[1].size = second_bytes;
    manifest.config = store.put(oci::serialise(config), oci::media_type::kOciConfig);
    root = store.put(oci::serialise(manifest), manifest.media_type);
  }
};

}  // namespace

TEST_CASE("a layer is named by its number and the instruction that made it") {
  const Told told;
  const PushParts parts = parts_of_image(told.store, told.root);
  CHECK(parts.blobs.size() == 4);
  CHECK(name_of_blob(told.store, parts, told.manifest.layers[1].digest) == "layer 2 of 3 ('RUN make two')");
  CHECK(name_of_blob(told.store, parts, told.manifest.config.digest) == "config");
  CHECK(name_of_blob(told.store, parts, oci::sha256_of("none")).starts_with("blob 'sha256:"));
}

TEST_CASE("a layer that would need more than ghcr's ten minutes at the measured rate is not begun, and its line is named") {
  class SlowUploads : public HttpClient {
   public:
    explicit SlowUploads(FakeClock& clock) : clock_(clock) {}
    HttpResponse send(const HttpRequest& request, const CancelToken&) override {
      HttpResponse response;
      response.status = request.url.path == "/v2/" ? 200 : 404;
      if (request.method == HttpMethod::post) {
        response.status = 202;
        response.headers.add("Location", "/v2/acme/app/blobs/uploads/1");
      } else if (request.method == HttpMethod::put) {
        response.status = 201;
        clock_.advance(100);
      }
      return response;
    }

   private:
    FakeClock& clock_;
  };
  const Told told(60'000'000);
  const auto line_of = [&](const oci::Digest& blob) {
    return blob == told.manifest.layers[1].digest ? std::string("Dockerfile:7") : std::string();
  };
  RecordingLog log;
  FakeClock clock;
  RemoteSettings settings;
  settings.parallel_requests = 1;
  RemoteSession session(std::make_unique<SlowUploads>(clock), settings, log, CancelToken(), clock);
  RegistryClient client = session.client({"ghcr.io", Security::verified});
  CHECK(client.upload_bytes_per_second() == 0);
  const std::string measured(8 << 20, 'm');
  client.upload_bytes("acme/app", {oci::media_type::kOciLayerGzip, oci::sha256_of(measured), measured.size(), {}, {}, {}}, measured);
  CHECK(client.upload_bytes_per_second() == doctest::Approx(83'886.08));
  std::string message;
  try {
    PushOptions options;
    options.origin = line_of;
    push_image(session, told.store, {told.root, {oci::Reference::parse("ghcr.io/acme/app:1")}}, options);
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK(message.find("Dockerfile:7: layer 2 of 3 ('RUN make two') has 60") != std::string::npos);
  CHECK(message.find("takes 11m") != std::string::npos);
}

TEST_CASE("a layer that ghcr would not take stops the push before anything is sent, and is named") {
  class NoBlobs : public HttpClient {
   public:
    HttpResponse send(const HttpRequest& request, const CancelToken&) override {
      CHECK((request.method == HttpMethod::get || request.method == HttpMethod::head));
      HttpResponse response;
      response.status = request.url.path == "/v2/" ? 200 : 404;
      return response;
    }
  };
  const Told told(10'000'000'001);
  RecordingLog log;
  FakeClock clock;
  RemoteSession session(std::make_unique<NoBlobs>(), {}, log, CancelToken(), clock);
  std::string message;
  try {
    PushOptions options;
    options.origin = [&](const oci::Digest& blob) { return blob == told.manifest.layers[1].digest ? "Dockerfile:7" : ""; };
    push_image(session, told.store, {told.root, {oci::Reference::parse("ghcr.io/acme/app:1")}}, options);
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK(message.find("Dockerfile:7: layer 2 of 3 ('RUN make two') has 10") != std::string::npos);
  CHECK(message.find("split the step") != std::string::npos);
}
