#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/remote/github_packages.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

// A manifest or index of a repository and what it speaks of.
struct StoredManifest {
  oci::Descriptor descriptor;
  std::vector<std::string> tags;       // sorted
  std::optional<UnixSeconds> date;     // of the image, see read_repository()
  std::vector<oci::Digest> children;   // of an index
  std::optional<oci::Digest> subject;  // what it refers to, by its field or by its tag
  std::vector<oci::Descriptor> blobs;  // config and layers
  std::string artifact_type;
  std::optional<std::uint64_t> version;  // of the package, where the registry is GitHub's
  // Why kiln cannot read it; "" where it can. Then `children` is every digest that stands in its bytes.
  std::string problem;
  bool is_broken = false;  // its config is gone: it cannot be pulled
};

// What a repository holds, as far as the registry tells: all that its tags reach, what refers to it, and, at GitHub,
// manifests without a tag too.
struct RepositoryContents {
  std::string name;        // registry/repository, for people
  std::string repository;  // as the registry calls it
  std::map<oci::Digest, StoredManifest> manifests;
  bool is_known = true;              // to the registry
  std::vector<std::string> remarks;  // what could not be read and is left as it is
};

// The digest that a tag is attached to: "sha256-<hex>" (referrers fallback) and cosign's "sha256-<hex>.sig"; nullopt
// for others.
std::optional<oci::Digest> digest_in_tag(std::string_view tag);

// Reads a repository, many requests at once. `packages` lists versions at GitHub; nullptr elsewhere.
//
// An image's date is the newest day in one of its tags (date_in_tag) or the time GitHub got it, whichever is later;
// where there is neither, the annotation org.opencontainers.image.created, else the config's "created" (an index: its
// newest child's). Times that reproducible builds write (1980 and before) say nothing.
//
// A manifest that kiln cannot read (docker's schema 1, an artifact manifest of before OCI 1.1, damaged JSON) is kept
// with all that its bytes name, and a version of which GitHub tells what kiln cannot read with all that it holds. An
// image whose config is gone is older than any other. A repository that the registry
// does not know is empty and not known. Error{network} where bytes cannot be had, or where GitHub hides a package that
// the registry has: what is not known cannot be kept.
RepositoryContents read_repository(RemoteSession& session, const RemoteRepository& place,
                                   const GithubPackages* packages);

}  // namespace kiln
