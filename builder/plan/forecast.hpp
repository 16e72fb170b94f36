#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"

namespace kiln {

enum class Expectation {
  hit,      // recorded: nothing is executed
  build,    // looked up and not there
  unknown,  // its key depends on something that is not built yet
};

std::string_view to_string(Expectation expectation);

enum class ProblemKind {
  would_fail,   // whatever is built first
  unreachable,  // what the target is built from could not be asked for: more is not known
};

struct ForeseenProblem {
  ProblemKind kind = ProblemKind::would_fail;
  std::string text;
};

// A step that can make a layer, before anything is built.
struct ForeseenStep {
  std::string stage;
  std::string file;
  int line = 0;
  std::string text;
  Expectation expectation = Expectation::unknown;
  std::string key;                     // empty where it is not known
  std::string reason;                  // why it is no hit; of an unknown one, what has to be built first
  std::optional<double> seconds;       // of executing it; a hit's record has them, others have an earlier build's
  std::optional<std::uint64_t> bytes;  // compressed bytes of its layers, likewise
  std::string identity;                // equal for steps that an earlier build ran as one; empty: like no other
};

// One target of a fleet, before anything is built.
struct ForeseenTarget {
  std::string name;
  std::string image;
  std::string profile;
  std::string kind;  // "base", "family", "service"; empty for bake files
  std::string platform;
  std::vector<std::string> parents;  // targets of the forecast
  std::vector<std::string> names;
  std::size_t wave = 0;  // 0: built from nothing of the fleet, else one more than its last parent's
  bool wanted = false;   // asked for; else only what such a one is built from
  std::vector<ForeseenProblem> problems;
  std::vector<ForeseenStep> steps;

  bool is_unchanged() const;
  bool has_problem(ProblemKind wanted_kind) const;
  // All of them, as one sentence; empty: there is none.
  std::string problem() const;
  std::size_t count(Expectation expectation) const;
};

// What a build of some targets would do. Totals count a step that several targets share once.
struct Forecast {
  std::vector<ForeseenTarget> targets;  // parents before children
  std::vector<std::string> notes;

  const ForeseenTarget* find(const std::string& name) const;
  bool has_problem(ProblemKind kind) const;

  struct Totals {
    std::size_t hits = 0;
    std::size_t builds = 0;
    std::size_t unknowns = 0;
    double seconds = 0;              // of what would be executed, one after the other, as far as earlier builds tell
    double longest_seconds = 0;      // of the chain of targets that takes longest: no number of cores makes it faster
    std::uint64_t bytes = 0;         // of layers that would be made
    std::size_t without_record = 0;  // steps to be executed that no earlier build tells about
  };
  Totals totals() const;
  // What executing this target's own steps takes, and the compressed bytes of the layers that they make, which a push
  // sends: as far as earlier builds tell.
  static double seconds_of(const ForeseenTarget& target);
  static std::uint64_t bytes_of(const ForeseenTarget& target);

  // Why steps are no hits, each reason once, in the order in which they come.
  struct Reason {
    std::string text;
    std::size_t steps = 0;
    std::vector<std::string> targets;
  };
  std::vector<Reason> reasons() const;
};

// The targets that `wanted` needs with their edges, waves and steps, nothing looked up yet. Steps are those of the
// stages that are built, in order.
Forecast lay_out_forecast(const Plan& plan, const std::set<std::size_t>& wanted);

// By target, in the plan's numbers: 0 for what has no parent in the fleet, else one more than the last parent's.
std::vector<std::size_t> waves_of(const Plan& plan);

}  // namespace kiln
