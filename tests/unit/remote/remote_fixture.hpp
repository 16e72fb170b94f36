#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/temp_dir.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/http.hpp"
#include "registry/remote/pull.hpp"
#include "registry/remote/push.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/content_store.hpp"
#include "tests/support/hostile_registry.hpp"

namespace kiln::test {

class RecordingLog : public Log {
 public:
  void info(std::string_view message) override { add(message); }
  void warn(std::string_view message) override { add(message); }
  void debug(std::string_view message) override { add(message); }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  void add(std::string_view message) {
    const std::lock_guard lock(mutex_);
    text_ += std::string(message) + "\n";
  }
  mutable std::mutex mutex_;
  std::string text_;
};

// Time that passes by waiting alone.
class FakeClock : public WaitClock {
 public:
  double monotonic_seconds() override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  UnixSeconds unix_seconds() override { return 1'700'000'000 + static_cast<UnixSeconds>(monotonic_seconds()); }
  void wait(double seconds, const CancelToken& cancel) override {
    cancel.check();
    const std::lock_guard lock(mutex_);
    now_ += seconds;
    waits_.push_back(seconds);
  }
  void advance(double seconds) {
    const std::lock_guard lock(mutex_);
    now_ += seconds;
  }
  std::vector<double> waits() const {
    const std::lock_guard lock(mutex_);
    return waits_;
  }

 private:
  mutable std::mutex mutex_;
  double now_ = 1000;
  std::vector<double> waits_;
};

// For tests in which the registry stops talking; everywhere else a busy machine must not look like a stall.
inline HttpOptions impatient_http() {
  HttpOptions options;
  options.stall_timeout_ms = 250;
  options.answer_timeout_ms = 250;
  return options;
}

// A store, a session and a registry; at its end no host but the registry (and its realm) has seen a secret,
// and neither the log nor any error text noted by failing() holds one.
class Remote {
 public:
  explicit Remote(HostileOptions options = {}) : registry(std::move(options)), store(HomeLayout::open(home.path())) {
    settings.credentials.flags = Credentials{registry.options().user, registry.options().password, "", "", "test"};
    settings.parallel_requests = 4;
  }
  ~Remote() {
    for (const std::string& secret : registry.secrets()) {
      CHECK(log.text().find(secret) == std::string::npos);
      CHECK(errors_.find(secret) == std::string::npos);
    }
    // Queries may be signed: they are secrets, too.
    CHECK(errors_.find("_state=") == std::string::npos);
    CHECK(log.text().find("_state=") == std::string::npos);
    CHECK_FALSE(elsewhere.saw_secret(registry.secrets()));
  }

  RemoteSession& session() {
    if (!session_) session_ = std::make_unique<RemoteSession>(make_curl_client(http), settings, log, cancel, clock);
    return *session_;
  }
  RegistryClient client() { return session().client({registry.authority(), Security::verified}); }
  oci::Reference reference(const std::string& name) const {
    return oci::Reference::parse(registry.authority() + "/" + name);
  }

  // The message of the Error that `action` throws.
  template <class Action>
  std::string failing(Action action) {
    try {
      action();
    } catch (const Error& error) {
      errors_ += error.message() + "\n";
      return error.message();
    }
    FAIL("expected an error");
    return {};
  }

  // An image in the store.
  oci::Descriptor image(const std::vector<std::string>& layers) {
    oci::Manifest manifest;
    oci::ImageConfig config;
    config.platform = oci::Platform::parse("linux/amd64");
    for (const std::string& layer : layers) {
      manifest.layers.push_back(store.put(layer, oci::media_type::kOciLayerGzip));
      config.diff_ids.push_back(manifest.layers.back().digest);
    }
    manifest.config = store.put(oci::serialise(config), oci::media_type::kOciConfig);
    return store.put(oci::serialise(manifest), manifest.media_type);
  }

  // An image at the registry alone; its manifest's descriptor.
  oci::Descriptor remote_image(const std::string& repository, const std::string& tag,
                               const std::vector<std::string>& layers, const std::string& platform = "linux/amd64") {
    oci::Manifest manifest;
    oci::ImageConfig config;
    config.platform = oci::Platform::parse(platform);
    for (const std::string& layer : layers) {
      registry.add_blob(repository, layer);
      manifest.layers.push_back({oci::media_type::kOciLayerGzip, oci::sha256_of(layer), layer.size(), {}, {}, {}});
      config.diff_ids.push_back(oci::sha256_of(layer));
    }
    const std::string config_text = oci::serialise(config);
    registry.add_blob(repository, config_text);
    manifest.config = {oci::media_type::kOciConfig, oci::sha256_of(config_text), config_text.size(), {}, {}, {}};
    const std::string text = oci::serialise(manifest);
    registry.add_manifest(repository, tag, text, manifest.media_type);
    return {manifest.media_type, oci::sha256_of(text), text.size(), {}, {}, {}};
  }

  static oci::Descriptor blob_of(const std::string& bytes) {
    return {oci::media_type::kOciLayerGzip, oci::sha256_of(bytes), bytes.size(), {}, {}, {}};
  }

  HostileRegistry registry;
  HostileRegistry elsewhere;  // another host, which must see no secret
  TempDir home;
  ContentStore store;
  RecordingLog log;
  FakeClock clock;
  CancelToken cancel;
  HttpOptions http;
  RemoteSettings settings;

 private:
  std::string errors_;
  std::unique_ptr<RemoteSession> session_;
};

inline std::string bytes_of(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed * 2654435761u + 12345;
  for (char& c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace kiln::test
