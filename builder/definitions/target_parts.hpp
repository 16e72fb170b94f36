#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"

namespace kiln {

// What was said about a target in buildx's words, and nothing else: what a bake file's target, the targets it inherits
// from and --set are merged in before a Target is made of it.
struct TargetParts {
  std::optional<std::string> description, context, dockerfile, dockerfile_inline, stage, network;
  std::optional<bool> pull, no_cache;
  std::map<std::string, std::string> args, labels, contexts;
  std::optional<std::vector<std::string>> tags, platforms, outputs, cache_from, cache_to, secrets, ssh, no_cache_stages;

  // Merges as buildx does when a target inherits: maps by key; cache-from, secrets, ssh and no-cache-filter are
  // appended to; everything else is replaced.
  void merge(const TargetParts& over);

  // Sets the members that were said. Relative contexts, secrets and keys are taken from `working_directory`, a
  // Dockerfile from the context. Error{usage} for an unknown platform or network, a malformed secret, a stdin context.
  void apply_to(Target& target, const fs::path& working_directory) const;
};

}  // namespace kiln
