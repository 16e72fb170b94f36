#pragma once

#include <set>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/solve/stage_evaluator.hpp"
#include "builder/steps/context_source.hpp"

namespace kiln {

// Everything that decides a target's image, as one hash: known without a store, a cache or a registry. Two builds of
// one hash are the same image as far as a build can be told in advance; so what was pushed under it need not be built
// again.
//
// In it: the version of kiln, the Dockerfile, the attributes that bake::attributes() marks as inputs (build args,
// labels, annotations, hosts and limits of RUN, stage), the profile, platform, compression, the times of files, the
// locked packages of its Debian root, the digests of images from elsewhere, the hashes of the images of the fleet that
// it is built from, and of its contexts the files that COPY, ADD and bind mounts name (all that the ignore file leaves
// where a variable stands in such a name), each as an entry of step_key.hpp. Not in it: its names and tags, secrets,
// times of files, and what ONBUILD triggers of images from elsewhere copy.
struct TargetInputs {
  std::string hash;  // 64 hex digits
  std::string open;  // why the same hash may be another image (a moving tag, a URL without checksum); "" for none

  // The tag under which an image with these inputs is published beside its own ones.
  std::string tag() const { return "inputs-" + hash.substr(0, 32); }
};

struct InputSettings {
  std::string kiln_version;
  fs::path lock_file;
  TimePolicy times;
  ContextModes modes = ContextModes::as_on_disk;
};

// In the plan's numbers, for the targets that `wanted` needs; others are empty. Error{build} for a COPY source that is
// missing, Error{usage} for a context that is no folder.
std::vector<TargetInputs> inputs_of(const Plan& plan, const std::set<std::size_t>& wanted,
                                    const InputSettings& settings, const HashTools& tools);

}  // namespace kiln
