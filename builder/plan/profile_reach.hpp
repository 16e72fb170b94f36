#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"

namespace kiln {

// Why an instruction comes out differently where some build arguments do.
struct ReachCause {
  enum class Kind {
    argument_in_scope,  // a RUN below an ARG (docker's rule: the ARG is in its environment, whether it is used or not)
    argument_expanded,  // COPY, ADD or WORKDIR with the variable in its words
    parent,             // a RUN on layers that differ
    source_stage,       // a COPY --from or a mount of a stage that differs
  };
  Kind kind = Kind::argument_in_scope;
  std::string name;  // the variable; of source_stage the stage
  int line = 0;      // of the ARG or ENV, of the first instruction below that differs, or of the stage's FROM

  bool operator==(const ReachCause&) const = default;
};

// "CUDA_ARCH of line 3 is in scope"
std::string to_text(const ReachCause& cause);

// What the values of `arguments` reach in a target's Dockerfile: by the line of each RUN, COPY, ADD and WORKDIR of the
// stages that are built, why its step may have another key. A line that is not there is the same whatever the arguments
// are. ENV and ARG that take a value from them count like them. Names that a COPY --from or a mount has from a variable
// are not followed.
std::map<int, std::vector<ReachCause>> profile_reach(const PlannedTarget& target,
                                                     const std::set<std::string>& arguments);

}  // namespace kiln
