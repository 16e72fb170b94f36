#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "builder/layer/compression.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

// What all front ends (image definitions, docker-bake.json) come to: a Fleet of Targets. Plain values; all paths are
// absolute. Parents are not declared here: builder/plan finds them in the Dockerfiles' FROM and COPY --from.

// The machine that a profile is for: settings that say what it has, never baked into an image.
struct Machine {
  std::optional<int> cores;
  std::optional<std::uint64_t> memory_bytes;
  std::string gpu;  // "RTX 4090"; empty: none
  std::optional<std::uint64_t> vram_bytes;

  bool operator==(const Machine&) const = default;
};

// A machine profile with what it `extends` already merged in.
struct Profile {
  std::string name;                                      // the file's name without ".json"
  std::map<std::string, std::string> values;             // UPPER_CASE keys
  std::vector<std::pair<std::string, std::string>> env;  // the values and what the schema derives from them, sorted
  Machine machine;
  fs::path file;

  bool operator==(const Profile&) const = default;
};

enum class ImageKind { base, family, service };
enum class Device { cpu, gpu };

// A root file system of Debian packages. It is never built from this wish but from the lock entry that it came to.
struct DebianDefinition {
  std::string suite;
  std::string variant;
  std::vector<std::string> include;
  std::vector<std::string> components;  // empty: main
  std::string mirror;                   // empty: the machine's own
  std::string security_mirror;

  bool operator==(const DebianDefinition&) const = default;
};

struct Cuda {
  std::string version;                 // "12.1"
  std::vector<std::string> arch_list;  // "8.6", "8.9", "9.0+PTX"

  bool operator==(const Cuda&) const = default;
};

struct RecordedSize {
  std::uint64_t compressed_bytes = 0;
  std::optional<std::uint64_t> unpacked_bytes;
  std::string date;  // "2025-01-31" or with a time, RFC 3339

  bool operator==(const RecordedSize&) const = default;
};

// What an image is measured against: an image reference or a legacy Dockerfile (exactly one of them), a size that was
// recorded from it, or that size alone.
struct BaselineDefinition {
  std::string reference;
  std::optional<fs::path> dockerfile;
  std::optional<RecordedSize> recorded;

  bool operator==(const BaselineDefinition&) const = default;
};

struct TargetSecret {  // with neither: the environment variable of its id, else the file of that name
  std::string id;
  std::optional<fs::path> file;
  std::optional<std::string> environment;  // a variable's name

  bool operator==(const TargetSecret&) const = default;
};

struct TargetSsh {
  std::string id;
  std::vector<fs::path> paths;  // an agent's socket or keys; empty: $SSH_AUTH_SOCK

  bool operator==(const TargetSsh&) const = default;
};

// One image, baked for one profile or for none.
struct Target {
  std::string name;   // buildx's target name: "memory-fusion-hub-mainpc", or the image's name without a profile
  std::string image;  // "memory-fusion-hub": what a FROM of the fleet may say
  std::string description;
  std::optional<Profile> profile;
  ImageKind kind = ImageKind::service;
  Device device = Device::cpu;
  fs::path definition;  // image.json or docker-bake.json, for messages

  // Neither: the image is the Debian root itself. In a remote context the path is relative to it.
  std::optional<fs::path> dockerfile;
  std::optional<std::string> dockerfile_inline;
  std::optional<fs::path> context;  // nullopt: none, or a remote one
  std::string remote_context;       // a git or http URL, in place of a folder
  std::map<std::string, std::string>
      contexts;                             // folder (absolute), "target:NAME", "docker-image://", "oci-layout://", URL
  std::string stage;                        // --target; empty: the last
  std::map<std::string, std::string> args;  // without the profile's, see baked_args()
  std::map<std::string, std::string> labels;  // likewise, see profile_labels()

  // Names to publish: full references, and templates of tags in the repository that the settings' template gives.
  // image_names() makes references of both.
  std::vector<std::string> tags;
  std::vector<std::string> tag_templates;

  std::vector<oci::Platform> platforms;    // empty: the machine's own
  std::optional<Compression> compression;  // nullopt: the parent's, else the settings'
  std::optional<DebianDefinition> debian;  // with a Dockerfile: what its FROM debian means
  std::optional<Cuda> cuda;
  std::optional<std::uint64_t> size_limit_bytes;  // of the compressed image
  std::optional<BaselineDefinition> baseline;

  std::vector<TargetSecret> secrets;
  std::vector<TargetSsh> ssh;
  bool no_cache = false;
  std::vector<std::string> no_cache_stages;
  bool pull = false;
  std::string network;               // "", "default", "host", "none"
  std::vector<std::string> outputs;  // buildx's --output syntax
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;

  bool operator==(const Target&) const = default;
};

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
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  bool cache_read_only = false;
  std::string cache_sign_key;            // a file (absolute); empty: not said
  std::vector<std::string> cache_trust;  // PEM texts, or files (absolute)
  bool share_cache_mounts = false;       // "cache_mounts": "share"
  std::string ca_bundle;                 // a file (absolute), "host", "none"; empty: not said
  FleetGoals goals;
  Retention retention;
  std::string source;  // for org.opencontainers.image.source; empty: not said
  fs::path profiles_folder;
  fs::path lock_file;

  // "ghcr.io/acme"; empty where no registry is known.
  std::string registry_and_namespace() const;

  bool operator==(const FleetSettings&) const = default;
};

enum class FrontEnd { image_definitions, bake_file };

struct Fleet {
  FrontEnd front_end = FrontEnd::image_definitions;
  fs::path folder;  // images/, or where the bake file is
  fs::path file;    // fleet.json or the bake file
  FleetSettings settings;
  std::vector<Target> targets;  // sorted by name; names are unique
  // Names of targets and groups. Image definitions: "default", those of fleet.json, and one per image with profiles.
  std::map<std::string, std::vector<std::string>> groups;
  std::map<std::string, Profile> profiles;
  std::vector<std::string> default_profiles;  // those that services are baked for unless they say otherwise
  std::vector<std::string> warnings;

  // nullptr where there is none.
  const Target* find(const std::string& name) const;
};

}  // namespace kiln
