#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "builder/layer/compression.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

// The values of a machine profile that are baked into one target.
struct ProfileBinding {
  std::string name;
  std::map<std::string, std::string> values;             // UPPER_CASE keys, sorted
  std::map<std::string, std::string> build_args;         // MACHINE, MACHINE_PROFILE and each key
  std::vector<std::pair<std::string, std::string>> env;  // written to the config when the image is published
  std::map<std::string, std::string> labels;
};

// A base root file system of Debian packages that a target's Dockerfile may name as `FROM debian`.
struct DebianRequest {
  std::string lock_name;  // the entry of the lock file: the image's name
  std::string suite;
  std::string variant;
  std::vector<std::string> include;
  std::vector<std::string> components;  // empty: main
  std::string mirror;
  std::string security_mirror;
  fs::path definition;  // for messages
};

struct SecretSource {
  std::string id;
  std::optional<fs::path> file;
  std::optional<std::string> environment;
};

struct SshForward {
  std::string id;
  std::vector<fs::path> paths;  // an agent's socket, or keys; empty: $SSH_AUTH_SOCK
};

// One image to build: a Dockerfile with everything it is built with. Made from `kiln build`'s flags, from an image
// definition (one for each profile) or from a bake file's target.
struct BuildTarget {
  std::string name;   // "memory-fusion-hub-mainpc"; empty for kiln build
  std::string image;  // "memory-fusion-hub"; what a FROM of the fleet may say
  std::optional<ProfileBinding> profile;

  std::string dockerfile_text;
  std::string dockerfile_name;             // as people know it: "images/base-utils/Dockerfile"
  std::optional<fs::path> context;         // nullopt: none, only contexts by name
  std::optional<std::string> ignore_text;  // the ignore file that applies; nullopt: none
  std::string ignore_name;                 // as people know it
  std::map<std::string, std::string>
      contexts;       // name -> folder, "target:NAME", "docker-image://REF", "oci-layout://PATH[:TAG]"
  std::string stage;  // --target
  std::map<std::string, std::string> args;
  std::map<std::string, std::string> labels;
  oci::Platform platform = oci::Platform::host();
  bool platform_is_asked_for = false;  // the image is for it then, whatever its base image says of itself
  Compression compression;
  bool no_cache = false;
  std::vector<std::string> no_cache_stages;
  std::string network;  // of RUN: "" and "default", "host", "none"
  std::vector<SecretSource> secrets;
  std::vector<SshForward> ssh;
  std::optional<DebianRequest> debian;
  std::vector<std::string> names;                 // references it gets when published
  std::optional<std::uint64_t> size_limit_bytes;  // of its compressed layers; a larger image is an error
};

}  // namespace kiln
