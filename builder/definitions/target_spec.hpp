#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "builder/definitions/layer_rules.hpp"
#include "builder/dockerfile/run_modes.hpp"
#include "builder/layer/compression.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

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

// What is made of a target: an image, or a list of the mistakes in its Dockerfile, for which buildx has two words.
enum class CallMethod { build, check, lint };
std::string_view to_string(CallMethod method);

enum class ImageKind { base, family, service };
enum class Device { cpu, gpu };

// A root file system of Debian packages that a target's Dockerfile may name as `FROM debian`. It is never built from
// this wish but from the lock entry that it came to.
struct DebianRequest {
  std::string lock_name;  // the entry of the lock file: the image's name
  std::string suite;
  std::string variant;
  std::vector<std::string> include;
  std::vector<std::string> components;  // empty: main
  std::string mirror;                   // empty: the machine's own
  std::string security_mirror;
  fs::path definition;  // as people know it, for messages

  bool operator==(const DebianRequest&) const = default;
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

// What a RUN's secret is read from; see definitions/target_words.hpp.
struct SecretSource {
  std::string id;
  std::optional<fs::path> file;
  std::optional<std::string> environment;  // a variable's name

  auto operator<=>(const SecretSource&) const = default;
};

struct SshForward {
  std::string id;
  std::vector<fs::path> paths;  // an agent's socket or keys; empty: $SSH_AUTH_SOCK

  bool operator==(const SshForward&) const = default;
};

struct AttestationWishes;

// A context that was fetched before the build.
struct FetchedContext {
  std::string name;    // empty: the build context itself
  std::string source;  // the repository or URL, without user
  std::string digest;  // the file's "sha256:HEX", or the commit's whole name

  bool operator==(const FetchedContext&) const = default;
};

// One image to build, for one machine profile or for none: what the flags of `kiln build`, an image definition and a
// bake file's target all come to.
struct TargetSpec {
  std::string name;   // "memory-fusion-hub-mainpc", or the image's name without a profile; empty for kiln build
  std::string image;  // "memory-fusion-hub": what a FROM of the fleet may say
  std::string description;
  std::optional<Profile> profile;
  ImageKind kind = ImageKind::service;
  Device device = Device::cpu;
  fs::path definition;  // image.json or docker-bake.json, for messages
  // What is wrong with the definition, each "FILE:LINE: ...": then nothing can be built that needs the target.
  std::vector<std::string> problems;

  // Neither: the image is the Debian root itself. In a remote context the path is relative to it.
  std::optional<fs::path> dockerfile;
  std::optional<std::string> dockerfile_inline;
  std::optional<fs::path> context;  // nullopt: none, or a remote one
  std::string remote_context;       // a git or http URL, in place of a folder
  std::vector<FetchedContext> fetched_from;
  std::map<std::string, std::string>
      contexts;                             // folder (absolute), "target:NAME", "docker-image://", "oci-layout://", URL
  std::string stage;                        // --target; empty: the last
  std::map<std::string, std::string> args;  // without the profile's, see baked_args()
  std::map<std::string, std::string> labels;  // likewise, see profile_labels()

  // Names to publish: full references, and templates of tags in the repository that the settings' template comes to.
  // image_names() makes references of both.
  std::vector<std::string> tags;
  std::vector<std::string> tag_templates;

  std::vector<oci::Platform> platforms;    // empty: the machine's own
  std::optional<Compression> compression;  // nullopt: the parent's, else the settings'
  std::optional<LayerRules> layers;        // likewise
  std::optional<DebianRequest> debian;     // with a Dockerfile: what its FROM debian means
  std::optional<Cuda> cuda;
  std::optional<std::uint64_t> size_limit_bytes;  // of the compressed image; a larger one is an error
  std::optional<BaselineDefinition> baseline;

  std::vector<SecretSource> secrets;
  std::vector<SshForward> ssh;
  bool no_cache = false;
  std::vector<std::string> no_cache_stages;
  bool pull = false;
  std::vector<std::string> annotations;   // buildx's --annotation syntax
  std::vector<std::string> outputs;       // buildx's --output syntax
  std::vector<std::string> attestations;  // buildx's --attest syntax; in a plan those that it inherits too
  std::optional<CallMethod> call;
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;

  // What RUN sees.
  std::optional<NetworkMode> network;                            // of each RUN that names none itself
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, address
  std::vector<std::string> ulimits;                              // as parse_ulimit() reads them
  std::string shm_size;                                          // as parse_memory_size() reads it; empty: 64m

  // What read_dockerfile() finds, for a plan. `kiln build` fills it in itself, since its Dockerfile may come from
  // standard input or with a context from elsewhere.
  std::string dockerfile_text;
  std::string dockerfile_name;             // as people know it: "images/base-utils/Dockerfile"
  std::optional<std::string> ignore_text;  // the ignore file that applies; nullopt: none
  std::string ignore_name;                 // as people know it
  bool rewrites_times = false;     // an output asks that no file of a RUN's layer be newer than the build's times
  std::vector<std::string> names;  // references it gets when published: its tags and templates, filled in

  // The one platform that a plan's target is built for: the first of `platforms`, else the machine's own.
  oci::Platform platform() const { return platforms.empty() ? oci::Platform::host() : platforms.front(); }
  // The image is for that platform then, whatever its base image says of itself.
  bool platform_is_asked_for() const { return !platforms.empty(); }
  Compression layer_compression() const { return compression.value_or(Compression{}); }
  LayerRules layer_rules() const { return layers.value_or(LayerRules{}); }
  // Error{usage} as parse_attestations() has it (attestations.hpp).
  AttestationWishes attestation_wishes() const;

  bool operator==(const TargetSpec&) const = default;
};

}  // namespace kiln
