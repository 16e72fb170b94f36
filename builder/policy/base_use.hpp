#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/policy/finding.hpp"

namespace kiln {

// An image, or packages in an image's place, that a target takes files from and that the fleet does not make itself:
// after FROM and COPY --from, in a mount, by a named context.
struct BaseUse {
  NameMeaning meaning;                  // an ImageBase, a LayoutBase or a DebianBase
  std::optional<DebianRequest> debian;  // of a DebianBase
  oci::Platform platform;
  PolicySubject subject;                     // the target that uses it
  PolicyPlace place;                         // the line that names it
  bool pull = false;                         // the target asks registries anew
  bool is_stage_base = false;                // after FROM: its ONBUILD triggers are executed
  NetworkMode network = NetworkMode::build;  // of RUN lines of the target that name none themselves

  // "python:3.12", "debian-packages", "oci-layout" with the folder.
  std::string name() const;
};

PolicySubject subject_of(const TargetSpec& target);

// A base that a target takes; nullopt where `meaning` is none. No line of a file is known to name it.
std::optional<BaseUse> base_use(const PlannedTarget& planned, const NameMeaning& meaning, const oci::Platform& platform,
                                bool is_stage_base);

// Those of these targets of a plan, in the order of targets and lines. Names that a variable hides are not among them.
std::vector<BaseUse> bases_used(const Plan& plan, const std::set<std::size_t>& targets);

}  // namespace kiln
