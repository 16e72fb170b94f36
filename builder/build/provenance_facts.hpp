#pragma once

#include <string>
#include <vector>

#include "builder/attest/provenance.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/plan/plan.hpp"
#include "builder/report/recorder.hpp"

namespace kiln {

// What is told of how a target of a plan is made, but for its steps, versions, times and the commit that is checked
// out: all that lasting_provenance() asks for, and that costs nothing. No argument whose name looks like a secret's is
// in it, no value of one, no credential and no path of this machine.
ProvenanceFacts provenance_facts(const Plan& plan, std::size_t number, const Fleet& fleet, const Materials& materials);

// The commit that is checked out where the definitions are, or the context, for what was not fetched as another one.
void add_commit(ProvenanceFacts& facts, const TargetSpec& target, const Fleet& fleet);

// The steps of the target, and before them those of the targets that it is built from. What the recorder heard has no
// secret in it.
std::vector<ProvenanceStep> provenance_steps(const Plan& plan, std::size_t number, const std::vector<HeardStep>& heard);

// ProvenanceFacts::network of these steps.
std::string network_of_steps(const std::vector<ProvenanceStep>& steps);

}  // namespace kiln
