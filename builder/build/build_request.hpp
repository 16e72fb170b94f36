#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/build/build_host.hpp"
#include "builder/build/cache_session.hpp"
#include "builder/build/store_bound.hpp"
#include "builder/build/target_tags.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/output.hpp"
#include "builder/policy/finding.hpp"
#include "builder/report/baseline.hpp"
#include "builder/report/build_report.hpp"
#include "builder/sign/signing_key.hpp"
#include "builder/solve/base_images.hpp"
#include "builder/solve/image_assembly.hpp"
#include "builder/solve/stage_evaluator.hpp"
#include "builder/steps/failed_run.hpp"
#include "builder/steps/run_step.hpp"
#include "builder/steps/scanned_context.hpp"

namespace kiln {

// How steps are executed and looked up, whatever is built.
struct BuildSettings {
  RunSettings runs;
  BaseSettings bases;
  TimePolicy times;
  RunSecurity security = RunSecurity::sandbox;
  ContextModes context_modes = ContextModes::as_on_disk;
  CacheSettings caches;
  StoreBound store_bound;
  bool offline = false;  // --offline: nothing is asked for at registries and servers; pushes are remembered
};

// The key that images are signed with once they are pushed.
struct PushSigning {
  // Called once and before anything is built, where something is to be pushed: the key may have a password.
  std::function<std::optional<SigningKey>()> open_key;
  bool is_said = false;  // by a flag: that it is of no use is told
};

// What happens to the images besides what their targets' outputs say.
struct DeliveryWishes {
  bool push = false;                         // under their names
  bool load = false;                         // into the docker or podman of this machine
  bool to_standard_output = true;            // whether an output may go there
  bool inputs_tag = false;                   // a tag of their inputs too, once the cache holds what made them
  std::vector<std::string> pins;             // NAME=REFERENCE
  std::optional<AttachedAs> attach_as = {};  // nullopt: the fleet's
  bool default_provenance = false;           // mode=min for what is pushed and says nothing of one
  PushSigning signing;
};

// One build, as plain values: `kiln build` is a fleet of one target.
struct BuildRequest {
  Fleet fleet;
  std::vector<std::string> targets;  // names of those that are wanted
  NameValues naming;
  // Of images for several platforms only this one is built. Pushed, it gets no name but platform_references(): another
  // machine builds the others, and one puts the index of all under the image's names. Error{usage} for a wanted target
  // that has not this platform.
  std::optional<oci::Platform> only_platform = {};
  BuildSettings settings;
  DeliveryWishes delivery;
  ReportTargets goals;
  std::map<std::string, Baseline> baselines;  // by image
  bool is_reported = true;                    // false: it measures something, and its record is not kept
};

// A target that was built, for one platform, as an image in the store. Borrows the target of the plan.
struct BuiltImage {
  const TargetSpec* target = nullptr;
  AssembledImage image;
};

// One target's images, in the form of its last output.
struct BuiltTarget {
  std::string name;                // of the target
  std::vector<std::string> names;  // references that it has or would have, those of its outputs too
  std::vector<BuiltImage> images;  // one for each platform
  oci::Descriptor root;            // the image's manifest or, for several platforms, an index of theirs
};

struct BuildResult {
  Plan plan;  // which `targets` borrow from
  std::vector<BuiltTarget> targets;
  BuildReport report;
};

class Workshop;

// What a build tells and asks while it runs.
struct BuildSurroundings {
  // Called once, after the process that starts containers was forked: a display may have a thread. What is returned
  // ends before the build returns or throws.
  std::function<std::unique_ptr<BuildObserver>()> open_progress;
  std::string kiln_version;
  CancelToken cancel;
  const BuildHost& host = this_host();
  // The command of a RUN failed (or something else did, then `run` is null), and settings.runs.keep_failed is set. The
  // display has ended, nothing is sent any more.
  std::function<void(const Error& error, std::unique_ptr<FailedRun> run, Workshop& shop)> on_failed_run = {};
  // What breaks the policy, as it is found: once before anything is built, and once before anything leaves.
  std::function<void(const std::vector<PolicyFinding>& findings)> on_policy = {};
  // Called when all is done and the store still holds on to what was built.
  std::function<void(const std::vector<BuiltTarget>& targets, Workshop& shop)> on_built = {};
};

}  // namespace kiln
