#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/definitions/target_spec.hpp"

namespace kiln {

// What was said about a target in buildx's words, and nothing else: what a bake file's target, the targets it inherits
// from and --set are merged in before a TargetSpec is made of it. What each member means stands in bake_attributes.cpp.
struct TargetParts {
  std::optional<std::string> description, context, dockerfile, dockerfile_inline, stage, network, shm_size, call;
  std::optional<bool> pull, no_cache;
  std::map<std::string, std::string> args, labels, contexts, extra_hosts;
  std::optional<std::vector<std::string>> tags, platforms, outputs, cache_from, cache_to, secrets, ssh, no_cache_stages,
      annotations, ulimits;

  // Merges as buildx does when a target inherits: maps by key, some lists are appended to, everything else is replaced.
  void merge(const TargetParts& over);

  // Sets the members that were said. Relative contexts, secrets and keys are taken from `working_directory`, a
  // Dockerfile from the context. Error{usage} for a value that cannot be, and for a context from standard input.
  void apply_to(TargetSpec& target, const fs::path& working_directory) const;
};

}  // namespace kiln
