#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "builder/definitions/attestations.hpp"
#include "builder/netlog/network_record.hpp"
#include "builder/steps/material.hpp"

namespace kiln {

// docs/attestations.md says what is in a provenance of this type.
inline constexpr char kBuildType[] = "https://kiln.dev/build/v1";
inline constexpr char kBuilderId[] = "https://kiln.dev/builder";

// A step of a build, as mode=max tells it.
struct ProvenanceStep {
  std::string target;  // of the fleet; empty: there is one
  std::string stage;
  std::string file;  // relative to the context, or the name alone
  int line = 0;
  std::string text;
  std::string key;
  bool is_hit = false;
  std::string from;  // of a hit
  std::vector<oci::Digest> diff_ids;
  bool is_run = false;
  std::optional<NetworkRecord> network = {};  // of a RUN; none: not recorded
};

// Where the files of the build are from that were fetched for it or are checked out.
struct ProvenanceSource {
  std::string uri;     // empty: not known
  std::string digest;  // "sha1:HEX" of a commit, "sha256:HEX" of a file; empty: not known
};

// All that is told of how an image was made; free of secrets, credentials and paths of this machine.
struct ProvenanceFacts {
  std::string dockerfile;  // relative to the context
  std::string target;      // the stage; empty: the last
  std::string image;       // the definition's name; empty: it has none
  std::string profile;
  std::string platform;
  std::string builder_platform;
  std::map<std::string, std::string> args;
  std::map<std::string, ProvenanceSource> contexts;  // named ones
  ProvenanceSource source;                           // the build context
  std::vector<std::string> secrets;                  // ids
  std::vector<std::string> ssh;
  Materials materials;
  std::vector<ProvenanceStep> steps;
  // What the downloads of RUN steps among the materials are worth: "recorded", "logged", or "incomplete" where some
  // step has no record. Empty: none has.
  std::string network;
  std::string kiln_version;
  std::optional<UnixSeconds> started;
  std::optional<UnixSeconds> finished;
};

// An SLSA provenance v1 (slsa.dev/spec/v1.0/provenance) as JSON text. Of mode=min there are the Dockerfile, stage,
// platform, profile, names of contexts, sources and dependencies, and no times: of the same image from the same sources
// the same bytes. mode=max has arguments, ids of secrets, steps and times too.
std::string provenance_json(const ProvenanceFacts& facts, const ProvenanceWish& wish);

// What of a provenance is the same for each build that makes the image in the same way: without commits, versions,
// times and outcomes of steps. An image that has a provenance of these is not given another one.
std::string lasting_provenance(const ProvenanceFacts& facts, const ProvenanceWish& wish);

}  // namespace kiln
