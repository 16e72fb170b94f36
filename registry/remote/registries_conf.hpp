#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/http.hpp"

namespace kiln {

enum class Security {
  verified,  // https with a certificate that verifies; plain http for loopback
  insecure,  // https without verification, else plain http
};

// A registry as it is really asked.
struct Endpoint {
  std::string authority;  // host[:port]
  Security security = Security::verified;

  auto operator<=>(const Endpoint&) const = default;
};

// One place an image may be pulled from.
struct PullPlace {
  Endpoint endpoint;
  std::string repository;
  bool is_mirror = false;
};

// containers-registries.conf(5), version 2: [[registry]] with prefix (also "*.example.com"), location,
// insecure, blocked, mirror-by-digest-only, and [[registry.mirror]] with location, insecure,
// pull-from-mirror. Short names are docker's (docker.io/library), so unqualified-search-registries and
// aliases do not count. Read from $CONTAINERS_REGISTRIES_CONF, else ~/.config/containers/registries.conf,
// else /etc/containers/registries.conf, then the *.conf files of registries.conf.d. Version 1 files are
// refused with a message that says how to write version 2.
class RegistriesConf {
 public:
  RegistriesConf() = default;
  // Error{usage} naming file and line for what is no such text.
  static RegistriesConf parse(std::string_view text, std::string_view name);
  static RegistriesConf from_environment();

  // Later files win over earlier ones of the same prefix.
  void merge(const RegistriesConf& later);

  // Where to ask for an image, in order: mirrors, then the registry itself. Error{network} where it is
  // blocked.
  std::vector<PullPlace> pull_places(const oci::Reference& reference) const;
  // Where to push it (never a mirror; location rewriting counts). Error{network} where it is blocked.
  PullPlace push_place(const oci::Reference& reference) const;

  // Whether a host (host[:port]) that a registry led to is marked insecure: by an entry that names the host alone. What
  // is said of a path of it is said of the repositories there, and counts in the places above.
  bool is_insecure_host(std::string_view authority) const;

 private:
  struct Mirror {
    std::string location;
    bool insecure = false;
    std::string pull_from;  // "all", "digest-only", "tag-only"
  };
  struct Registry {
    std::string prefix;
    std::string location;
    bool insecure = false;
    bool blocked = false;
    std::vector<Mirror> mirrors;
  };
  const Registry* find(const std::string& name) const;

  std::vector<Registry> registries_;
};

// Folders that hold HOST[:PORT]/{*.crt, *.cert + *.key}: ~/.config/containers/certs.d,
// /etc/containers/certs.d,
// ~/.docker/certs.d, /etc/docker/certs.d. The first that has the host counts.
std::vector<fs::path> certificate_folders();
// Error{machine} for a certificate without its key.
HostCertificates find_certificates(const std::vector<fs::path>& folders, const std::string& authority);

}  // namespace kiln
