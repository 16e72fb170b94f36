#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/cache/build_record.hpp"
#include "builder/init/proposed_image.hpp"

namespace kiln::init {

// Images that begin with the same steps, which could be an image of their own that the others are FROM.
struct CommonBase {
  std::string from;                // the base image that all of them have
  std::vector<std::string> steps;  // instructions, each on one line, in order
  std::vector<std::string> images;
  // What one copy of the layers takes for every image but one, of layers that earlier builds on this machine made;
  // nullopt where none of these made any of the steps.
  std::optional<std::uint64_t> saved_bytes;
  std::size_t unknown_steps = 0;  // that no earlier build made
};

// The groups that share the most steps first. Steps are compared by their parsed text; a COPY from the context is the
// same only where the context is, or the files are equal. `records` are those of earlier builds.
std::vector<CommonBase> common_bases(const std::vector<ProposedImage>& images, const BuildRecordStore& records);

}  // namespace kiln::init
