#include "builder/run/trust.hpp"

#include <fmt/format.h>

#include <array>
#include <system_error>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxBundleBytes = std::uint64_t{32} << 20;
constexpr std::array<std::string_view, 5> kProxyVariables = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
                                                             "all_proxy"};
constexpr std::array<const char*, 6> kBundleVariables = {
    "SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"};

bool sets(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& variable : env) {
    if (std::string_view(variable).substr(0, variable.find('=')) == name) return true;
  }
  return false;
}

// update-ca-certificates takes *.crt, in folders too.
std::size_t count_certificates(const fs::path& folder) {
  std::size_t count = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".crt" && fs::is_regular_file(it->path(), error)) ++count;
  }
  return count;
}

bool holds_certificate(const fs::path& file) {
  return read_named_file(file, kMaxBundleBytes).find("-----BEGIN CERTIFICATE-----") != std::string::npos;
}

}  // namespace

std::optional<fs::path> host_bundle(const TrustPlaces& places) {
  std::error_code error;
  for (const fs::path& bundle : places.bundles) {
    if (fs::is_regular_file(bundle, error)) return fs::canonical(bundle);
  }
  return std::nullopt;
}

BuildTrust find_build_trust(std::string_view setting, const TrustPlaces& places) {
  if (setting == "none") return {};
  if (setting.empty()) {
    const std::size_t count = count_certificates(places.additions);
    const auto bundle = count == 0 ? std::nullopt : host_bundle(places);
    if (!bundle) return {};
    return {*bundle, fmt::format("'{}' holds {}", places.additions.native(), count_of(count, "certificate"))};
  }
  if (setting == "host") {
    if (const auto bundle = host_bundle(places)) return {*bundle, "it was asked for"};
    throw Error(Category::usage, "CA bundle 'host': this machine has none; install ca-certificates or name a file");
  }
  std::error_code error;
  const fs::path file = fs::absolute(fs::path(setting));
  if (!fs::is_regular_file(file, error)) {
    throw Error(Category::usage,
                fmt::format("CA bundle '{}': expected a file, \"host\" or \"none\"; no such file", setting));
  }
  if (!holds_certificate(file)) {
    throw Error(Category::usage, fmt::format("CA bundle '{}': expected certificates in PEM form, found none", setting));
  }
  return {fs::canonical(file), "it was asked for"};
}

std::vector<std::string> trust_environment(const BuildTrust& trust, const std::vector<std::string>& env) {
  std::vector<std::string> result;
  if (!trust.in_use()) return result;
  for (const char* name : kBundleVariables) {
    if (!sets(env, name)) result.push_back(fmt::format("{}={}/ca-certificates.crt", name, kTrustFolder));
  }
  if (!sets(env, "APT_CONFIG")) result.push_back(fmt::format("APT_CONFIG={}/apt.conf", kTrustFolder));
  return result;
}

std::string trust_apt_conf() {
  return fmt::format("Acquire::https::CaInfo \"{}/ca-certificates.crt\";\n", kTrustFolder);
}

std::vector<std::string> host_proxies(const std::function<std::optional<std::string>(const std::string&)>& lookup) {
  std::vector<std::string> result;
  for (const std::string_view name : kProxyVariables) {
    const std::string lower(name);
    const std::string upper = to_upper(name);
    const auto of_lower = lookup(lower);
    const auto of_upper = lookup(upper);
    if (const auto& value = of_lower ? of_lower : of_upper) result.push_back(lower + "=" + *value);
    if (const auto& value = of_upper ? of_upper : of_lower) result.push_back(upper + "=" + *value);
  }
  return result;
}

std::vector<std::string> merged_environment(std::vector<std::string> env, const std::vector<std::string>& additions) {
  for (const std::string& addition : additions) {
    if (!sets(env, std::string_view(addition).substr(0, addition.find('=')))) env.push_back(addition);
  }
  return env;
}

}  // namespace kiln
