#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "builder/build/target_tags.hpp"
#include "builder/plan/matrix.hpp"
#include "builder/plan/plan.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// What registries have of a fleet, by the tags of inputs: references with digests, one in each repository of an image.
// Keys are numbers of the plan.
struct KnownImages {
  std::map<std::size_t, std::vector<oci::Reference>> images;     // whole: of several platforms by the first, an index
  std::map<std::size_t, std::vector<oci::Reference>> platforms;  // one of several, where the index is not there
};

// The targets that `wanted` needs, and of images that have several platforms all of them: an image is published whole.
std::set<std::size_t> needed_images(const Plan& plan, std::set<std::size_t> wanted);

// Asks registries for those of the needed targets that are published. One that does not answer has nothing, and `log`
// is told.
KnownImages find_known(const Plan& plan, const std::set<std::size_t>& needed, const std::vector<TargetInputs>& inputs,
                       RemoteSession& remote, Log& log);

// The label of the machine that builds for a platform.
using RunnerOf = std::function<std::string(const oci::Platform&)>;
// What a target of the plan is predicted to take; 0: not known.
using SecondsOf = std::function<double(const TargetSpec&)>;

// What jobs have to make of the needed targets, each after the wave of what it is built from: every platform of an
// image that has several by itself, then their index. A job is told what its parents have to come out as: by digest
// where they are known, else by the tag that an earlier wave pushes. What is built for a platform only since a child
// needs it is published nowhere: its child's job makes it.
std::vector<MatrixTarget> matrix_targets(const Plan& plan, const std::set<std::size_t>& needed,
                                         const std::vector<TargetInputs>& inputs, const KnownImages& known,
                                         const RunnerOf& runner_of, const SecondsOf& seconds_of);

}  // namespace kiln
