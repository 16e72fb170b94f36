#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "builder/release/rollback_plan.hpp"
#include "registry/remote/release_record.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// Plans to give the images of a release back a tag: looks at what the tag names at each repository now, and whether
// what the release recorded is still whole. `names` (targets, repositories or their last parts; none: all) chooses
// images. Error{usage} with the nearest name for one that the release does not hold; Error{network} that lists what is
// not whole.
RollbackPlan plan_rollback(RemoteSession& session, const ReleaseRecord& release, const std::vector<std::string>& names,
                           const std::string& tag, const HealthCheck& health, UnixSeconds now);

// Where one tag of a plan is after an attempt.
struct MoveOutcome {
  const TagMove* move = nullptr;
  std::optional<oci::Digest> now;  // what the tag names; nullopt: nothing, or it could not be asked
  std::string problem;             // empty: it is where it was to go
};

struct RollbackOutcome {
  std::string failure;            // why the tags were not moved or not left; empty: all is well
  std::vector<MoveOutcome> tags;  // of all moves, in their order
  bool is_everything_where_intended() const;
};

// Asks whether what was rolled back is healthy, again and again until it is or the time is over; nullopt, or what the
// last attempt said. Handed in, so that a test decides.
using AskHealth = std::function<std::optional<std::string>(const HealthCheck&)>;

// Moves the tags of the plan to the release's digests, in parallel, writes every change of state to the journal before
// and after, asks for health, and undoes all of it where a tag cannot be moved (the registry refuses, or the tag names
// neither of the two digests any more) or health does not come. Tags that are where they belong already are left alone,
// so this also finishes a plan that was interrupted. Only a cancelled session throws; the journal then keeps the plan.
RollbackOutcome carry_out(RemoteSession& session, RollbackPlan& plan, const RollbackJournal& journal,
                          const AskHealth& ask_health);

// Lets every tag name again what it named before. A tag that did not exist is deleted where the registry can do that; a
// tag that names neither digest was moved by somebody else and stays.
RollbackOutcome undo(RemoteSession& session, RollbackPlan& plan, const RollbackJournal& journal);

}  // namespace kiln
