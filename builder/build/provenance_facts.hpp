#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/secret_values.hpp"
#include "builder/attest/provenance.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/plan/plan.hpp"
#include "builder/report/recorder.hpp"

namespace kiln {

// What is told of how a target of a plan is made, but for its steps, versions, times and the commit that is checked
// out: all that lasting_provenance() asks for, and that costs nothing. No argument whose name looks like a secret's is
// in it, no value of one (`secrets` has those of all of the plan), no credential and no path of this machine.
ProvenanceFacts provenance_facts(const PlannedTarget& planned, const SecretValues& secrets, const Fleet& fleet,
                                 const Materials& materials);

// The commit that is checked out where the definitions are, or the context, for what was not fetched as another one.
void add_commit(ProvenanceFacts& facts, const TargetSpec& target, const Fleet& fleet);

// What a recorder heard, in order, by the target's name and platform.
using StepsOfTargets = std::map<std::pair<std::string, std::string>, std::vector<HeardStep>>;
StepsOfTargets steps_of_targets(std::vector<HeardStep> heard);

// The steps of the target, and before them those of the targets that it is built from. What the recorder heard has no
// secret in it.
std::vector<ProvenanceStep> provenance_steps(const Plan& plan, std::size_t number, const StepsOfTargets& heard);

// ProvenanceFacts::network of the same steps.
std::string network_of_steps(const Plan& plan, std::size_t number, const StepsOfTargets& heard);

}  // namespace kiln
