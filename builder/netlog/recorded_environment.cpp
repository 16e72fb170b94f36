#include "builder/netlog/recorded_environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace kiln {

namespace {

// Each program has its own. npm takes the authority of cafile alone, other programs of Node add NODE_EXTRA_CA_CERTS.
constexpr std::array<const char*, 13> kAuthorityVariables = {"SSL_CERT_FILE",
                                                             "CURL_CA_BUNDLE",
                                                             "GIT_SSL_CAINFO",
                                                             "PIP_CERT",
                                                             "REQUESTS_CA_BUNDLE",
                                                             "NODE_EXTRA_CA_CERTS",
                                                             "npm_config_cafile",
                                                             "CARGO_HTTP_CAINFO",
                                                             "AWS_CA_BUNDLE",
                                                             "DENO_CERT",
                                                             "BUNDLE_SSL_CA_CERT",
                                                             "HEX_CACERTS_PATH",
                                                             "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"};
constexpr std::array<const char*, 4> kProxyNames = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"};
constexpr std::array<const char*, 2> kNoProxyNames = {"no_proxy", "NO_PROXY"};

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

RecordedEnvironment recorded_environment(const std::string& folder, const std::string& authorities, std::uint16_t port,
                                         const std::string& password) {
  RecordedEnvironment result;
  const std::string user = password.empty() ? "" : "kiln:" + password + "@";
  for (const char* name : kProxyNames)
    result.variables.push_back(fmt::format("{}=http://{}127.0.0.1:{}", name, user, port));
  // What a RUN says to itself is no download.
  for (const char* name : kNoProxyNames) result.variables.push_back(fmt::format("{}=localhost,127.0.0.1,::1", name));
  const std::string bundle = folder + "/ca-certificates.crt";
  for (const char* name : kAuthorityVariables) result.variables.push_back(fmt::format("{}={}", name, bundle));
  result.variables.push_back(fmt::format("APT_CONFIG={}/apt.conf", folder));
  result.variables.push_back(fmt::format("WGETRC={}/wgetrc", folder));
  result.files.push_back({bundle, authorities});
  result.files.push_back({folder + "/apt.conf", fmt::format("Acquire::https::CaInfo \"{}\";\n", bundle)});
  result.files.push_back({folder + "/wgetrc", fmt::format("ca_certificate = {}\n", bundle)});
  return result;
}

std::vector<std::string> defeated_variables(const RecordedEnvironment& environment,
                                            const std::vector<std::string>& env) {
  std::vector<std::string> notes;
  for (const std::string& own : env) {
    const std::string_view name = name_of(own);
    const bool is_ours =
        std::any_of(environment.variables.begin(), environment.variables.end(),
                    [&](const std::string& variable) { return name_of(variable) == name && variable != own; });
    if (!is_ours || is_one_of(kNoProxyNames, name)) continue;
    notes.push_back(
        is_one_of(kProxyNames, name)
            ? fmt::format("{} is set by the build itself and kept: what follows it goes around the recording proxy",
                          name)
            : fmt::format("{} is set by the build itself and kept: programs that read it may refuse the "
                          "certificates of the recording proxy",
                          name));
  }
  return notes;
}

}  // namespace kiln
