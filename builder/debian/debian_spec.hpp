#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace kiln {

// What a base image of Debian packages is asked to hold: the wish, where DebianLock is what it came to.
//
// `variant` names the packages that are there without being asked for: "essential" (Essential: yes), "apt"
// (and apt), "minbase" (and Priority: required; what debian:bookworm-slim has), "important", "standard" (and
// those priorities). Recommended packages are never added.
struct DebianSpec {
  std::string suite = "bookworm";
  std::string variant = "minbase";
  std::vector<std::string> include;  // package names, in any order
  std::string architecture;          // Debian's name: "amd64", "arm64"
  std::vector<std::string> components = {"main"};
  std::string mirror;           // URI of a mirror of deb.debian.org/debian; empty: the machine's own
  std::string security_mirror;  // URI of a mirror of deb.debian.org/debian-security; empty: the machine's own

  // Sorts and uniques the lists, so that order means nothing. Error{usage} for an unknown variant or
  // component, and for whatever is no valid suite, package name, architecture or http(s)/file URI.
  void normalize();
  bool operator==(const DebianSpec&) const = default;
};

// The names that `variant` may have.
const std::vector<std::string>& debian_variants();

// "sha256:HEX" over what is asked for. Mirrors are left out: they say where, not what, and every package that
// comes from them is verified by Debian's signatures. Equal specs in another order have equal digests.
std::string spec_digest(const DebianSpec& spec);

// Debian's name ("amd64", "arm64", "armhf", ...) of an OCI architecture and variant ("arm", "v7");
// Error{usage} where Debian has none.
std::string debian_architecture(std::string_view oci_architecture, std::string_view oci_variant = {});

// Where one machine gets Debian's packages from, and which keys it trusts for them.
struct DebianArchives {
  std::string debian = "http://deb.debian.org/debian";
  std::string security = "http://deb.debian.org/debian-security";
  fs::path keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
};

// The mirrors that this machine's apt sources name, over them the spec's, below them deb.debian.org. A source
// with component main counts as a mirror of Debian if its URI ends in /debian and it is on a debian.org host
// or names a suite ending in -updates (other people's repositories do neither), as one of Debian's security
// updates if its URI ends in /debian-security. Only http, https and file URIs are taken; of several the
// first. Error{machine} where Debian's keyring is missing.
DebianArchives archives_of_host(const DebianSpec& spec);

// The same from the texts of apt source files, deb822 where `file_name` ends in ".sources", else one-line;
// the keyring is not looked for.
struct AptSourceFile {
  std::string file_name;
  std::string text;
};
DebianArchives archives_from_sources(const DebianSpec& spec, const std::vector<AptSourceFile>& files);

}  // namespace kiln
