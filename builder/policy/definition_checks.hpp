#pragma once

#include <set>
#include <string>

#include "builder/plan/plan.hpp"
#include "builder/policy/base_checks.hpp"
#include "builder/policy/finding.hpp"

namespace kiln {

// What of the policy the lines of Dockerfiles break before anything is built.

// Whose line a RUN is.
struct RunLine {
  PolicySubject subject;
  PolicyPlace place;
  NetworkMode network = NetworkMode::build;  // of lines that name none themselves
  std::string origin;                        // before the instruction in messages; may be empty
};
// A RUN that has a network and is not listed. Other instructions have none.
void check_run_network(const RunNetworkRule& rule, const dockerfile::Instruction& instruction, const RunLine& line,
                       PolicyFindings& findings);

// Every RUN line of these stages of a target, ONBUILD's among them.
void check_run_lines(const RunNetworkRule& rule, const PlannedTarget& planned, const std::set<std::size_t>& stages,
                     PolicyFindings& findings);

// USER and HEALTHCHECK of a target, as far as its lines and what it is built on tell; what a variable hides is left to
// the check of the image. A base that cannot be had is left to its build.
void check_start(const PolicyRules& rules, const Plan& plan, std::size_t target, BaseInspector& inspector,
                 PolicyFindings& findings);

// The lines that decide about a target's image: its USER and HEALTHCHECK, or the FROM of its final stage where it says
// none itself.
struct DecidingLines {
  PolicyPlace from;
  PolicyPlace user;
  PolicyPlace healthcheck;
};
DecidingLines deciding_lines(const Plan& plan, std::size_t target);

// USER of an image config: root by name, by number or because there is none.
bool is_root_user(std::string_view user);
// The findings about the user and the HEALTHCHECK that an image comes to.
void report_root_user(const PolicyRule& rule, const PolicySubject& subject, const PolicyPlace& place,
                      PolicyFindings& findings);
void report_no_healthcheck(const PolicyRule& rule, const PolicySubject& subject, const PolicyPlace& place,
                           PolicyFindings& findings);

}  // namespace kiln
