#include "builder/solve/unused_flags.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/steps/git_source.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

bool may_be_git(const std::string& source) {
  return df::has_variable(source) || parse_git_reference(source).has_value();
}

// A clause each.
std::vector<std::string> unused_of(const df::Instruction& instruction) {
  std::vector<std::string> unused;
  if (const auto* run = std::get_if<df::Run>(&instruction.body)) {
    for (const df::WrittenMount& mount : run->mounts) {
      for (const std::string& clause : df::unused_options(mount))
        unused.push_back(fmt::format("RUN --mount={}: {}", printable(mount.text), clause));
    }
  } else if (const auto* add = std::get_if<df::Add>(&instruction.body)) {
    if (add->keep_git_dir && std::none_of(add->paths.begin(), add->paths.end(), may_be_git))
      unused.emplace_back("ADD --keep-git-dir: no source is a git repository, so it changes nothing");
  } else if (const auto* health = std::get_if<df::Healthcheck>(&instruction.body)) {
    if (health->disabled && !instruction.flags.empty())
      unused.emplace_back("HEALTHCHECK NONE: its flags change nothing");
  }
  return unused;
}

}  // namespace

std::vector<std::string> unused_flags(const df::Dockerfile& dockerfile) {
  std::vector<std::string> unused;
  for (const df::Stage& stage : dockerfile.stages) {
    for (const df::Instruction& instruction : stage.instructions) {
      for (const std::string& clause : unused_of(instruction)) {
        unused.push_back(fmt::format("{}:{}: {}", printable(dockerfile.file_name), instruction.lines.first, clause));
      }
    }
  }
  return unused;
}

}  // namespace kiln
