#include "builder/steps/run_recording.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cache/step_record.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/netlog/certificate_authority.hpp"
#include "builder/netlog/recorded_environment.hpp"
#include "builder/netlog/recording_proxy.hpp"
#include "builder/run/recorded_network.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxAuthoritiesBytes = std::uint64_t{4} << 20;
constexpr char kImageBundle[] = "etc/ssl/certs/ca-certificates.crt";
constexpr std::size_t kMostExplained = 3;

// Whom this machine believes: what the proxy verifies servers by, as kiln's other transfers.
std::string machine_authorities(const BuildTrust& trust) {
  if (trust.in_use()) return read_file(trust.bundle, kMaxAuthoritiesBytes);
  if (const auto named = environment_variable("SSL_CERT_FILE"); named && !named->empty())
    return read_file_if_exists(*named, kMaxAuthoritiesBytes).value_or("");
  const auto bundle = host_bundle();
  return bundle ? read_file(*bundle, kMaxAuthoritiesBytes) : "";
}

// Of a file that an image holds; "" for one that is too large.
std::string bytes_of_file(const Fd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return "";
  if (static_cast<std::uint64_t>(status.st_size) > kMaxAuthoritiesBytes) return "";
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

// Whom the image believes, where it says so in the place that Debian and Alpine have: its programs would.
std::string image_authorities(const std::vector<fs::path>& lowers) {
  for (auto folder = lowers.rbegin(); folder != lowers.rend(); ++folder) {
    const Fd root = open_directory(*folder);
    const Fd file = open_file_beneath(root, kImageBundle);
    if (file) return bytes_of_file(file);
    if (errno == EINVAL) return "";
  }
  return "";
}

std::string proxy_of(const std::vector<std::string>& variables, std::string_view name) {
  for (const std::string& wanted : {to_upper(name), to_lower(name)}) {
    for (const std::string& variable : variables) {
      if (variable.starts_with(wanted + "=")) return variable.substr(wanted.size() + 1);
    }
  }
  return "";
}

// What the RUN would have used is what its proxy uses.
ProxySettings machine_proxies(const std::vector<std::string>& variables) {
  const std::string all = proxy_of(variables, "all_proxy");
  std::string http = proxy_of(variables, "http_proxy");
  std::string https = proxy_of(variables, "https_proxy");
  if (http.empty()) http = all;
  if (https.empty()) https = all;
  return ProxySettings(std::move(http), std::move(https), proxy_of(variables, "no_proxy"));
}

}  // namespace

std::string RecordedRun::explanation() const {
  std::vector<std::string> all = refused;
  all.insert(all.end(), problems.begin(), problems.end());
  if (!blocked.empty())
    all.push_back(fmt::format("it tried {} around the recording proxy; blocked", join(blocked, ", ")));
  if (all.empty()) return "";
  const std::size_t more = all.size() > kMostExplained ? all.size() - kMostExplained : 0;
  if (more != 0) all.resize(kMostExplained);
  return "; " + join(all, "; ") + (more == 0 ? "" : fmt::format("; and {} more", more));
}

struct RunRecording::State {
  CertificateAuthority authority;
  RecordingOptions options;
  bool is_only_way = false;
  std::unique_ptr<RecordingProxy> proxy;
  std::unique_ptr<NamespaceWatch> watch;
};

RunRecording::RunRecording(RunRequest& request, const std::vector<std::string>& unrecorded_hosts)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.is_only_way = request.network == RunNetwork::recorded;
  std::string believed = machine_authorities(request.trust);
  if (const std::string of_image = image_authorities(request.lowers); of_image != believed) believed += "\n" + of_image;
  state.options.unrecorded_hosts = unrecorded_hosts;
  state.options.upstream.authorities = believed.find("-----BEGIN") == std::string::npos ? "" : believed;
  state.options.upstream.proxies = machine_proxies(request.proxies);
  state.options.upstream.hosts = request.extra_hosts;
  std::uint16_t port = kRecordedProxyPort;
  if (state.is_only_way) {
    // The command has no network but this one: what listens on the machine's loopback alone, and a cloud's metadata,
    // are not on it. Without its own network it would reach them anyway.
    state.options.upstream.most_private = AddressClass::private_network;
    request.on_network = [&state](NamespaceSockets sockets) {
      state.proxy = std::make_unique<RecordingProxy>(std::move(sockets.proxy), state.authority, state.options);
      state.watch = std::make_unique<NamespaceWatch>(std::move(sockets.packets), std::move(sockets.names));
    };
  } else {
    // It is on the machine's network, where others are: only who has the password may put anything into the record.
    state.options.password = new_salt();
    LoopbackListener listener = listen_on_loopback();
    port = listener.port;
    state.proxy = std::make_unique<RecordingProxy>(std::move(listener.socket), state.authority, state.options);
  }
  const RecordedEnvironment environment =
      recorded_environment(kTrustFolder, state.authority.certificate() + believed, port, state.options.password);
  warnings_ = defeated_variables(environment, request.env);
  request.proxies = environment.variables;
  request.trust = {};
  for (const RecordedEnvironment::File& file : environment.files)
    request.mounts.push_back({file.path, FileSource{file.text, 0644}});
}

RunRecording::~RunRecording() = default;

RecordedRun RunRecording::finish() {
  State& state = *state_;
  RecordedRun result;
  if (state.watch) result.blocked = state.watch->finish();
  if (state.proxy) {
    ProxyFindings findings = state.proxy->finish();
    result.record = std::move(findings.record);
    for (const RefusedCertificate& refused : findings.refused) {
      result.refused.push_back(fmt::format(
          "the certificate that the recording proxy showed for '{}' was refused by the program ({}): it pins "
          "certificates, or reads none of SSL_CERT_FILE and its kin; name the host by --network-unrecorded {}",
          refused.host, refused.reason, refused.host));
    }
    result.problems = std::move(findings.failures);
  }
  result.record.promise = state.is_only_way ? NetworkPromise::recorded : NetworkPromise::logged;
  state.proxy.reset();
  state.watch.reset();
  return result;
}

}  // namespace kiln
