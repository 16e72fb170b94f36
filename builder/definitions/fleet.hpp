#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/definitions/attestations.hpp"
#include "builder/definitions/policy_rules.hpp"
#include "builder/definitions/target_spec.hpp"

namespace kiln {

// What image definitions and bake files come to: a Fleet of targets. Plain values; all paths are absolute. Parents are
// not declared here: builder/plan finds them in the Dockerfiles' FROM and COPY --from.

// What the fleet has promised; a report compares itself with them.
struct FleetGoals {
  std::optional<double> reduction_min_pct;
  std::optional<double> reduction_max_pct;
  std::optional<double> cache_hit_pct;
  std::optional<double> build_seconds;

  bool operator==(const FleetGoals&) const = default;
};

struct Retention {
  int last = 10;
  int daily = 7;
  int weekly = 4;
  int monthly = 3;

  bool operator==(const Retention&) const = default;
};

struct FleetSettings {
  std::string registry;         // "ghcr.io"; empty for bake files
  std::string image_namespace;  // "acme"; may be empty
  std::string repository_template = "{image}-{profile}";
  std::vector<std::string> tag_templates = {"{date}-{git}", "latest"};
  std::vector<oci::Platform> platforms;
  std::optional<Compression> compression;
  std::optional<LayerRules> layers;
  std::vector<std::string> attestations;  // buildx's --attest syntax
  std::optional<AttachedAs> attached_as;  // nullopt: not said
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  bool cache_read_only = false;
  std::string cache_sign_key;            // a file (absolute); empty: not said
  std::vector<std::string> cache_trust;  // PEM texts, or files (absolute)
  bool share_cache_mounts = false;       // "cache_mounts": "share"
  std::string ca_bundle;                 // a file (absolute), "host", "none"; empty: not said
  FleetGoals goals;
  Retention retention;
  PolicyRules policy;
  std::string source;  // for org.opencontainers.image.source; empty: not said
  fs::path profiles_folder;
  fs::path lock_file;

  // "ghcr.io/acme"; empty where no registry is known.
  std::string registry_and_namespace() const;

  bool operator==(const FleetSettings&) const = default;
};

enum class FrontEnd { image_definitions, bake_file, flags };

struct Fleet {
  FrontEnd front_end = FrontEnd::image_definitions;
  fs::path folder;  // images/, or where the bake file is
  fs::path file;    // fleet.json or the bake file
  FleetSettings settings;
  std::vector<TargetSpec> targets;  // sorted by name; names are unique
  // Names of targets and groups. Image definitions: "default", those of fleet.json, and one per image with profiles.
  std::map<std::string, std::vector<std::string>> groups;
  std::map<std::string, Profile> profiles;
  std::vector<std::string> default_profiles;  // those that services are baked for unless they say otherwise
  std::vector<std::string> warnings;

  // nullptr where there is none. An image whose definition is broken answers for each of its profiles.
  const TargetSpec* find(const std::string& name) const;
  // Puts the targets into their order again.
  void sort();
};

// Everything there is.
std::vector<const TargetSpec*> all_targets(const Fleet& fleet);

// All problems of these targets, each once.
std::vector<std::string> problems_among(const std::vector<const TargetSpec*>& targets);
// Error{usage} with all of them where there are any.
void refuse_problems(const std::vector<const TargetSpec*>& targets);

}  // namespace kiln
