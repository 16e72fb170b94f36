#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "builder/init/found_build.hpp"
#include "builder/init/image_naming.hpp"
#include "builder/plan/plan.hpp"

namespace kiln::init {

// An image that a repository builds, as the fleet is to have it.
struct ProposedImage {
  std::string name;
  TargetSpec target;  // paths are absolute
  std::vector<KnownTag> tags;
  std::vector<std::string> origins;                             // files that build it; empty: its Dockerfile is all
  std::vector<std::pair<std::string, std::string>> file_names;  // (origin, what that calls it)
  bool is_defined = false;                                      // has an image.json already
  bool context_is_guess = false;
  std::shared_ptr<PlannedTarget> planned;  // its Dockerfile read; nullptr where it has none
  std::vector<std::string> references;     // images that its stages name, each once

  // What edges came to.
  std::map<std::string, std::string> edges;     // reference -> name of the image
  std::map<std::string, std::string> contexts;  // to be written: edges, and names that would mean something else
  bool has_children = false;
  bool is_gpu = false;
};

// Images from what files say and from Dockerfiles that no file names; those that cannot be are left out by a note. What
// images/ defines already comes first and keeps its name. `repository` is what the repository is called.
std::vector<ProposedImage> propose_images(const fs::path& root, const std::vector<std::string>& dockerfiles,
                                          const std::vector<FoundBuild>& builds,
                                          const std::vector<fs::path>& task_dockerfiles, const std::string& repository,
                                          std::vector<std::string>& notes);

// The folder that COPY means, of a Dockerfile that nothing tells about: its own, or the nearest one above it that has
// more of what its COPY lines name.
fs::path guess_context(const fs::path& root, const fs::path& dockerfile);

// Finds which images are built from which by their tags, and what else their names would mean in a fleet below
// `registry_and_namespace`.
void find_edges(std::vector<ProposedImage>& images, const std::string& registry_and_namespace,
                std::vector<std::string>& notes);

}  // namespace kiln::init
