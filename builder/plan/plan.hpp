#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/secret_values.hpp"
#include "builder/definitions/target_spec.hpp"
#include "builder/dockerfile/ast.hpp"
#include "builder/dockerfile/variables.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

// What a name after FROM, --from or a mount's from= refers to.
struct ScratchBase {};
struct StageBase {
  std::size_t stage = 0;
};
struct FleetBase {
  std::size_t target = 0;  // of the plan
};
struct ImageBase {
  std::string reference;
};
struct LayoutBase {
  fs::path folder;
  std::string tag;  // or digest; empty: the only image
};
struct FolderBase {
  fs::path folder;
};
struct DebianBase {};

using NameMeaning = std::variant<ScratchBase, StageBase, FleetBase, ImageBase, LayoutBase, FolderBase, DebianBase>;

// A target with its Dockerfile read and its stages' names resolved. Move-only: scopes point into it.
struct PlannedTarget {
  TargetSpec target;
  dockerfile::Dockerfile dockerfile;
  std::unique_ptr<dockerfile::GlobalScope> scope;
  std::size_t final_stage = 0;
  std::vector<NameMeaning> bases;            // of each stage's FROM
  std::vector<std::set<std::size_t>> needs;  // for each stage, the other stages it is built from
  std::set<std::size_t> fleet_parents;       // targets of the plan that any needed stage is built from
  // It was not asked for: it is built because a target of this platform is built from it.
  bool is_for_children = false;
};

// What a name without registry and tag is, where no stage has it.
enum class BareNames {
  external,    // an image of Docker Hub: kiln build and bake files
  fleet_only,  // an image of the fleet; one that there is not is a mistake: image definitions
};

// How the names of the fleet are known.
struct FleetNames {
  std::string registry_and_namespace;  // "ghcr.io/acme"; empty: bare names only
  std::set<std::string> tags;          // those that this bake gives, besides "latest"
  BareNames bare_names = BareNames::external;
};

// A build of one or many targets: every edge between them is found by reading the Dockerfiles. Each target is for one
// platform, so an image of several is in it several times, one after the other. What a target of a platform that was
// asked for is built from is built for that platform, by a target of its own where none is there.
struct Plan {
  std::vector<std::unique_ptr<PlannedTarget>> targets;
  FleetNames names;
  // What people should know of: edges that look like the fleet's and were not taken, with the reason; a front end
  // that is asked for.
  std::vector<std::string> notes;
  // What looks like a secret among the build args of all targets, and what their Dockerfiles make of it.
  SecretValues secrets;

  // The targets in an order in which every parent comes before its children.
  std::vector<std::size_t> order() const;
  // The targets that `wanted` needs, itself included.
  std::set<std::size_t> closure(const std::set<std::size_t>& wanted) const;
};

// Error{usage} with file and line for a Dockerfile that does not parse, an unknown stage or target stage, a parent that
// does not exist, and a cycle; of several targets at fault all are told. A target that may be left out and is at fault
// is in the plan with `problems` instead, as an image of nothing, and a note says so. Neither notes nor errors hold
// what looks like a secret among the build args.
Plan make_plan(const std::vector<TargetSpec>& targets, const FleetNames& names,
               const std::function<bool(const TargetSpec&)>& may_be_left_out = {});
// The stand-in of a target whose Dockerfile is at fault.
TargetSpec left_out(const TargetSpec& target, const Error& error);

// What names of contexts, and names that may mean one, are compared by: "busybox", "busybox:latest" and
// "docker.io/library/busybox" are one name, as for docker.
std::string context_key(const std::string& name);

// What a name used in a stage (by --from, a mount) refers to. `before_stage`: only stages above may be named. A number
// is the stage of that place; Error{usage} where no stage above has it.
NameMeaning resolve_name(const Plan& plan, const PlannedTarget& target, const std::string& name,
                         std::size_t before_stage);

// The stages of a target that its final one needs, that one included.
std::set<std::size_t> needed_stages(const PlannedTarget& target);

// The platform that a stage's base image is asked for: of FROM --platform, else the target's. Error{usage} for one that
// is none.
oci::Platform platform_of_base(const PlannedTarget& target, std::size_t stage);

// A platform in the parts that a Dockerfile's ARGs carry.
dockerfile::PlatformParts parts_of(const oci::Platform& platform);

}  // namespace kiln
