// Against Debian's docker-registry on a free loopback port, with skopeo as the second opinion.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/process.hpp"
#include "registry/remote/credentials.hpp"
#include "registry/remote/referrers.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

std::uint16_t free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

bool answers(std::uint16_t port) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

struct RegistrySettings {
  std::string user;  // htpasswd where not empty
  std::string password;
  bool tls = false;
};

// A docker-registry process with its data in a folder of its own, ended with the object.
class DockerRegistry {
 public:
  explicit DockerRegistry(const RegistrySettings& settings = {}) : port_(free_port()) {
    std::ofstream config(folder_.path() / "config.yml");
    config << "version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: " << folder_.path().native()
           << "/data}\n  delete: {enabled: true}\nhttp:\n  addr: 127.0.0.1:" << port_ << "\n";
    if (settings.tls) {
      run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
           "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
           (folder_.path() / "key.pem").native(), "-out", certificate().native()});
      config << "  tls: {certificate: " << certificate().native() << ", key: " << folder_.path().native()
             << "/key.pem}\n";
    }
    if (!settings.user.empty()) {
      Command command;
      command.argv = {"htpasswd", "-niB", settings.user};
      command.stdin_bytes = settings.password;
      std::ofstream(folder_.path() / "htpasswd") << run_command(command, CancelToken()).stdout_bytes;
      config << "auth:\n  htpasswd: {realm: kiln, path: " << folder_.path().native() << "/htpasswd}\n";
    }
    config.close();
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string file = (folder_.path() / "config.yml").native();
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, STDOUT_FILENO);
      ::dup2(null, STDERR_FILENO);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execlp("docker-registry", "docker-registry", "serve", file.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 200 && !answers(port_); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    REQUIRE(answers(port_));
  }
  ~DockerRegistry() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  static bool is_installed() {
    const bool found = find_program("docker-registry") && find_program("skopeo") && find_program("htpasswd");
    if (!found) MESSAGE("skipped: docker-registry, skopeo and apache2-utils are not all installed");
    return found;
  }
  std::string authority() const { return "localhost:" + std::to_string(port_); }
  fs::path certificate() const { return folder_.path() / "cert.pem"; }
  oci::Reference reference(const std::string& name) const { return oci::Reference::parse(authority() + "/" + name); }

  static std::string run(std::vector<std::string> argv) {
    Command command;
    command.argv = std::move(argv);
    const CommandResult result = run_command(command, CancelToken());
    INFO(result.stderr_bytes);
    REQUIRE(result.exit_code == 0);
    return result.stdout_bytes;
  }

 private:
  TempDir folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("what kiln pushes to docker-registry is what skopeo reads there") {
  if (!DockerRegistry::is_installed()) return;
  DockerRegistry registry;
  Remote remote;
  remote.settings.credentials.flags.reset();
  const std::string shared = bytes_of(12'000'000);
  const oci::Descriptor first = remote.image({shared, bytes_of(1000, 2)});
  const oci::Descriptor second = remote.image({shared, bytes_of(1000, 3)});
  const std::vector<PushRequest> requests = {
      {first, {registry.reference("acme/one:1"), registry.reference("acme/one:latest")}},
      {second, {registry.reference("acme/two:1")}}};
  for (const PushOutcome& outcome : push_images(remote.session(), remote.store, requests)) {
    INFO((outcome.error ? outcome.error->message() : ""));
    CHECK_FALSE(outcome.error.has_value());
  }
  CHECK(remote.session().stats().mounted_bytes == shared.size());
  CHECK(remote.session().stats().pushed_bytes < shared.size() + 100'000);

  const std::string raw = DockerRegistry::run(
      {"skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + registry.reference("acme/one:latest").str()});
  CHECK(oci::sha256_of(raw) == first.digest);
  TempDir copy;
  DockerRegistry::run({"skopeo", "copy", "-q", "--preserve-digests", "--src-tls-verify=false",
                       "docker://" + registry.reference("acme/two:1").str(), "oci:" + copy.path().native() + ":two"});
  CHECK(fs::exists(copy.path() / "blobs/sha256" / second.digest.hex()));

  const auto before = remote.session().stats().requests.load();
  push_images(remote.session(), remote.store, requests);
  CHECK(remote.session().stats().requests - before == 3);

  std::vector<std::string> tags = remote.session().client_for(registry.reference("acme/one")).list_tags("acme/one");
  std::sort(tags.begin(), tags.end());
  CHECK(tags == std::vector<std::string>{"1", "latest"});
}

TEST_CASE("what skopeo pushes to docker-registry is what kiln pulls") {
  if (!DockerRegistry::is_installed()) return;
  DockerRegistry registry;
  Remote source;
  const oci::Descriptor image = source.image({bytes_of(2'000'000), bytes_of(10, 2)});
  const NamedImage named{"it", image};
  publish_images(source.store, std::span(&named, 1));
  DockerRegistry::run({"skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false",
                       "oci:" + source.home.path().native() + "/oci:it",
                       "docker://" + registry.reference("acme/it:1").str()});
  Remote remote;
  remote.settings.credentials.flags.reset();
  const PulledImage pulled = pull_image(remote.session(), remote.store, registry.reference("acme/it:1"),
                                        oci::Platform::parse("linux/amd64"), PullWhat::layers);
  CHECK(pulled.manifest.digest == image.digest);
  CHECK(missing_blobs(remote.store, pulled.manifest).empty());
  CHECK(resolve_image(remote.session(), registry.reference("acme/it:1"))->digest == image.digest);
}

TEST_CASE("docker-registry with a password lets kiln in with it, and not without") {
  if (!DockerRegistry::is_installed()) return;
  DockerRegistry registry({"tester", "canary-7f3a91", false});
  Remote remote;
  const oci::Descriptor image = remote.image({bytes_of(2'000'000)});
  push_image(remote.session(), remote.store, {image, {registry.reference("acme/app:1")}});
  CHECK(resolve_image(remote.session(), registry.reference("acme/app:1"))->digest == image.digest);
  Remote stranger;
  stranger.settings.credentials.flags.reset();
  const std::string message =
      stranger.failing([&] { resolve_image(stranger.session(), registry.reference("acme/app:1")); });
  CHECK(message.find("without credentials") != std::string::npos);
}

TEST_CASE("docker-registry with an authority of its own is trusted by certs.d and by nothing else") {
  if (!DockerRegistry::is_installed()) return;
  DockerRegistry registry({"", "", true});
  TempDir certificates;
  fs::create_directories(certificates.path() / registry.authority());
  fs::copy(registry.certificate(), certificates.path() / registry.authority() / "ca.crt");
  const auto with = [&](bool trusted) {
    HttpOptions options;
    if (trusted) {
      options.certificates = [&](const std::string& authority) {
        return find_certificates({certificates.path()}, authority);
      };
    }
    return options;
  };
  Remote remote;
  remote.http = with(true);
  remote.settings.credentials.flags.reset();
  const oci::Descriptor image = remote.image({bytes_of(3'000'000)});
  push_image(remote.session(), remote.store, {image, {registry.reference("acme/app:1")}});
  CHECK(resolve_image(remote.session(), registry.reference("acme/app:1"))->digest == image.digest);

  Remote stranger;
  stranger.http = with(false);
  stranger.settings.credentials.flags.reset();
  const std::string message =
      stranger.failing([&] { resolve_image(stranger.session(), registry.reference("acme/app:1")); });
  CHECK(message.find("certificate") != std::string::npos);

  Remote careless;
  careless.http = with(false);
  careless.settings.credentials.flags.reset();
  careless.settings.registries = RegistriesConf::parse(
      fmt::format("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", registry.authority()), "registries.conf");
  CHECK(resolve_image(careless.session(), registry.reference("acme/app:1"))->digest == image.digest);
}

TEST_CASE("a deleted manifest is gone from docker-registry") {
  if (!DockerRegistry::is_installed()) return;
  DockerRegistry registry;
  Remote remote;
  const oci::Descriptor image = remote.image({"layer"});
  push_image(remote.session(), remote.store, {image, {registry.reference("acme/app:1")}});
  RegistryClient client = remote.session().client_for(registry.reference("acme/app"));
  CHECK(client.delete_manifest("acme/app", image.digest.str()));
  CHECK_FALSE(client.resolve("acme/app", "1").has_value());
  CHECK(client.referrers("acme/app", image.digest).empty());
}

TEST_CASE("docker-registry, which has no referrers API, lists what is attached by the fallback tag") {
  if (!DockerRegistry::is_installed()) return;
  DockerRegistry registry;
  Remote remote;
  const oci::Descriptor image = remote.image({"layer"});
  push_image(remote.session(), remote.store, {image, {registry.reference("acme/app:1")}});
  RegistryClient client = remote.session().client_for(registry.reference("acme/app"));
  for (const char* text : {"one", "two", "one"}) {
    const Artifact artifact{"application/x-sbom", {{"text/plain", text}}, {}, {{"org.example.text", text}}};
    const auto attached = attach_referrer(client, "acme/app", image, artifact);
    CHECK(attached.listed_by == ReferrersWay::tag);
    CHECK(attached.refusal.empty());
  }
  const auto listed = list_referrers(client, "acme/app", image.digest, "application/x-sbom");
  REQUIRE(listed.size() == 2);
  CHECK(listed[1].annotations == oci::Annotations{{"org.example.text", "two"}});
}
