#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace kiln {

// Build-time trust: the certificate authorities of this machine (a company proxy's, say) made known to the programs of
// a RUN while it runs. It is seen read-only below kTrustFolder and named by environment variables; it is in no layer,
// no config, no history and no key.
struct BuildTrust {
  fs::path bundle;  // PEM file on the host; empty: none
  std::string
      reason;  // for the one line that says it is in use: "/usr/local/share/ca-certificates holds 2 certificates"

  bool in_use() const noexcept { return !bundle.empty(); }
};

inline constexpr char kTrustFolder[] = "/run/kiln/trust";

// Where a machine keeps its certificates; tests hand in others.
struct TrustPlaces {
  fs::path additions = "/usr/local/share/ca-certificates";
  std::vector<fs::path> bundles = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                   "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
};

// `setting` is --ca-bundle or build.ca_bundle: a file, "host", "none", or "" for the rule (the host's bundle where its
// administrator added certificates). Error{usage} for a file that is missing or holds no certificate, and for "host" on
// a machine without a bundle.
BuildTrust find_build_trust(std::string_view setting, const TrustPlaces& places = {});

// The file with the authorities that this machine's own programs trust.
std::optional<fs::path> host_bundle(const TrustPlaces& places = {});

// "K=V" that point programs at the bundle, without those that `env` sets itself. Empty where there is no trust to tell.
std::vector<std::string> trust_environment(const BuildTrust& trust, const std::vector<std::string>& env);
// The text of the apt configuration that stands in kTrustFolder too.
std::string trust_apt_conf();

// The host's proxy variables in both spellings ("http_proxy" and "HTTP_PROXY"), as docker's predefined ARGs. `lookup`
// returns the value of an environment variable.
std::vector<std::string> host_proxies(const std::function<std::optional<std::string>(const std::string&)>& lookup);

// env, then what of `additions` it does not set itself.
std::vector<std::string> merged_environment(std::vector<std::string> env, const std::vector<std::string>& additions);

}  // namespace kiln
