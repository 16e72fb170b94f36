#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/cache/build_record.hpp"
#include "builder/init/common_bases.hpp"
#include "builder/init/new_files.hpp"
#include "builder/init/proposed_image.hpp"

namespace kiln::init {

// A fleet for a repository as it lies there: what `kiln init` shows and writes.
struct FleetProposal {
  fs::path root;
  std::string registry;               // and namespace, "ghcr.io/acme"
  std::string registry_reason;        // where that comes from
  std::vector<ProposedImage> images;  // by name
  std::size_t dockerfiles = 0;        // that lie in the repository, whether images come of them or not
  std::vector<CommonBase> common_bases;
  std::string gpu_profile;  // the profile that services for a GPU get; empty: there is none of these
  // In the order in which they are to be written: fleet.json, which makes a fleet of the others, is the last.
  std::vector<NewFile> files;
  std::vector<std::string> notes;
};

// Reads a repository; nothing is written. Error{usage} where `root` is no folder or its images/fleet.json is broken.
FleetProposal propose_fleet(const fs::path& root, const BuildRecordStore& records);

}  // namespace kiln::init
