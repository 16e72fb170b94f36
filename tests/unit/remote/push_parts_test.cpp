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

TEST_CASE(
    "a layer that would need more than ghcr's ten minutes at the measured rate is not begun, and its line is named") {
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
  client.upload_bytes(
      "acme/app", {oci::media_type::kOciLayerGzip, oci::sha256_of(measured), measured.size(), {}, {}, {}}, measured);
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
    options.origin = [&](const oci::Digest& blob) {
      return blob == told.manifest.layers[1].digest ? "Dockerfile:7" : "";
    };
    push_image(session, told.store, {told.root, {oci::Reference::parse("ghcr.io/acme/app:1")}}, options);
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK(message.find("Dockerfile:7: layer 2 of 3 ('RUN make two') has 10") != std::string::npos);
  CHECK(message.find("split the step") != std::string::npos);
}

namespace {

// ghcr.io as far as a push of new images needs it. Uploads are answered with `uploads`.
class FakeGhcr : public HttpClient {
 public:
  explicit FakeGhcr(HttpResponse uploads) : uploads_(std::move(uploads)) {}
  HttpResponse send(const HttpRequest& request, const CancelToken&) override {
    const std::string& path = request.url.path;
    HttpResponse response;
    response.status = path == "/v2/" ? 200 : 404;
    if (request.method == HttpMethod::post) return uploads_;
    const std::lock_guard lock(mutex_);
    if (request.method == HttpMethod::put) {
      response.status = 201;
      if (path.find("/manifests/") != std::string::npos) put(path, body_of(*request.body));
    } else if (const auto found = manifests_.find(path); found != manifests_.end()) {
      response.status = 200;
      response.headers.add("Content-Type", oci::media_type::kOciManifest);
      response.headers.add("Content-Length", std::to_string(found->second.size()));
      response.headers.add("Docker-Content-Digest", oci::sha256_of(found->second).str());
    }
    return response;
  }

 private:
  // Under its tag and its digest.
  void put(const std::string& path, const std::string& bytes) {
    manifests_[path] = bytes;
    manifests_[path.substr(0, path.rfind('/') + 1) + oci::sha256_of(bytes).str()] = bytes;
  }
  static std::string body_of(RequestBody& body) {
    std::string bytes(body.size(), '\0');
    bytes.resize(body.read(bytes.data(), bytes.size()).value_or(0));
    return bytes;
  }
  HttpResponse uploads_;
  std::mutex mutex_;
  std::map<std::string, std::string> manifests_;
};

HttpResponse upload_answer(int status, const std::string& body = {}) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  if (status == 202) response.headers.add("Location", "/v2/acme/app/blobs/uploads/1");
  return response;
}

// What a push of these images to ghcr.io logs; their errors, too.
std::string told_by_ghcr(const Told& told, const std::vector<PushRequest>& images, HttpResponse uploads) {
  RecordingLog log;
  FakeClock clock;
  RemoteSession session(std::make_unique<FakeGhcr>(std::move(uploads)), {}, log, CancelToken(), clock);
  std::string text;
  for (const PushOutcome& outcome : push_images(session, told.store, images))
    text += outcome.error ? outcome.error->message() + "\n" : "";
  return log.text() + text;
}

oci::Descriptor labelled(Told& told) {
  oci::ImageConfig config = oci::parse_image_config(told.store.read(told.manifest.config.digest), "config");
  config.config.labels["org.opencontainers.image.source"] = "https://github.com/acme/app";
  oci::Manifest manifest = told.manifest;
  manifest.config = told.store.put(oci::serialise(config), oci::media_type::kOciConfig);
  return told.store.put(oci::serialise(manifest), manifest.media_type);
}

}  // namespace

TEST_CASE("new images at ghcr.io that say no source are named once, with what links them") {
  Told told;
  const oci::Descriptor linked = labelled(told);
  const auto request = [](const oci::Descriptor& image, const char* name) {
    return PushRequest{image, {oci::Reference::parse(name)}};
  };
  CHECK(told_by_ghcr(told, {request(linked, "ghcr.io/acme/app:1")}, upload_answer(202)).find("image.source") ==
        std::string::npos);
  const std::string text = told_by_ghcr(told,
                                        {request(linked, "ghcr.io/acme/a:1"), request(told.root, "ghcr.io/acme/b:1"),
                                         request(told.root, "ghcr.io/acme/c:1")},
                                        upload_answer(202));
  CHECK(text.find("'ghcr.io/acme/b' (and 1 more) says by no label org.opencontainers.image.source") !=
        std::string::npos);
  CHECK(text.find("image.source", text.find("Dockerfile")) == std::string::npos);
  CHECK(
      told_by_ghcr(told, {request(told.root, "registry.example/acme/b:1")}, upload_answer(202)).find("image.source") ==
      std::string::npos);
}

TEST_CASE("a config that cannot be read stops no push to ghcr.io") {
  Told told;
  oci::Manifest manifest = told.manifest;
  manifest.config = told.store.put("no json", oci::media_type::kOciConfig);
  const oci::Descriptor image = told.store.put(oci::serialise(manifest), manifest.media_type);
  CHECK(told_by_ghcr(told, {{image, {oci::Reference::parse("ghcr.io/acme/app:1")}}}, upload_answer(202)).empty());
}

TEST_CASE("a push that ghcr.io refuses with write_package names the setting to change") {
  const Told told;
  const std::string text = told_by_ghcr(
      told, {{told.root, {oci::Reference::parse("ghcr.io/acme/app:1")}}},
      upload_answer(403, R"({"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]})"));
  CHECK(text.find("'Manage Actions access'") != std::string::npos);
  CHECK(text.find("permissions: packages: write") != std::string::npos);
  CHECK(text.find("while pushing 'ghcr.io/acme/app:1'") != std::string::npos);
}
