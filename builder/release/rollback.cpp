#include "builder/release/rollback.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/remote/push.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/verify_image.hpp"

namespace kiln {

namespace {

std::size_t parallel_changes(const RemoteSession& session) {
  return std::max<std::size_t>(1, session.settings().parallel_requests);
}

std::optional<oci::Digest> digest_of(RemoteSession& session, const oci::Reference& reference) {
  const auto found = session.client_for(reference).resolve(session.repository_of(reference).repository, *reference.tag);
  return found ? std::optional(found->digest) : std::nullopt;
}

std::vector<const ReleasedImage*> chosen(const ReleaseRecord& release, const std::vector<std::string>& names) {
  std::vector<const ReleasedImage*> images;
  std::vector<std::string> known;
  for (const ReleasedImage& image : release.images) {
    known.push_back(image.name);
    if (names.empty()) images.push_back(&image);
  }
  for (const std::string& name : names) {
    const ReleasedImage* image = release.find(name);
    if (!image) {
      throw Error(Category::usage, fmt::format("release '{}' holds no image '{}'{}", release.name, printable(name),
                                               suggestion(name, known)));
    }
    if (std::find(images.begin(), images.end(), image) == images.end()) images.push_back(image);
  }
  return images;
}

void put_digest(RemoteSession& session, const TagMove& move, const std::string& tag, const oci::Digest& digest) {
  oci::Reference source = oci::Reference::parse(move.repository);
  source.tag.reset();
  tag_image(session, source.with_digest(digest), tag);
}

std::string named(const std::optional<oci::Digest>& digest) {
  return digest ? fmt::format("'{}'", digest->str()) : "nothing";
}

// Brings one tag from one digest to another, as far as it is not there yet.
void bring(RemoteSession& session, const TagMove& move, const std::string& tag, const std::optional<oci::Digest>& from,
           const std::optional<oci::Digest>& to) {
  const oci::Reference reference = move.tagged(tag);
  const auto now = digest_of(session, reference);
  if (now == to) return;
  if (now != from) {
    throw Error(Category::build, fmt::format("'{}' names {}: somebody else moved it, expected {}", reference.str(),
                                             named(now), named(from)));
  }
  if (to) return put_digest(session, move, tag, *to);
  session.client_for(reference).delete_manifest(session.repository_of(reference).repository, tag);
}

enum class Direction { to_release, back };

// Moves all tags; the problems, one a move. Going to the release, no further tag is begun after the first problem.
std::vector<std::string> bring_all(RemoteSession& session, const RollbackPlan& plan, Direction direction) {
  std::vector<std::string> problems(plan.moves.size());
  std::atomic<bool> stopped{false};
  ThreadPool pool(parallel_changes(session));
  pool.parallel_for(plan.moves.size(), [&](std::size_t i) {
    const TagMove& move = plan.moves[i];
    if (!move.is_needed() || stopped) return;
    try {
      if (direction == Direction::to_release) {
        bring(session, move, plan.tag, move.from, move.to);
      } else {
        bring(session, move, plan.tag, move.to, move.from);
      }
    } catch (const Error& error) {
      if (error.category() == Category::cancelled) throw;
      problems[i] = error.message();
      if (direction == Direction::to_release) stopped = true;
    }
  });
  session.cancel().check();
  return problems;
}

std::vector<MoveOutcome> look(RemoteSession& session, const RollbackPlan& plan, Direction direction) {
  std::vector<MoveOutcome> tags(plan.moves.size());
  ThreadPool pool(parallel_changes(session));
  pool.parallel_for(plan.moves.size(), [&](std::size_t i) {
    const TagMove& move = plan.moves[i];
    tags[i].move = &move;
    try {
      tags[i].now = digest_of(session, move.tagged(plan.tag));
    } catch (const Error& error) {
      if (error.category() == Category::cancelled) throw;
      tags[i].problem = error.message();
      return;
    }
    const auto expected = direction == Direction::to_release ? std::optional(move.to) : move.from;
    if (tags[i].now != expected) tags[i].problem = fmt::format("names {}, not {}", named(tags[i].now), named(expected));
  });
  return tags;
}

void set_state(RollbackPlan& plan, RollbackPlan::State state, const RollbackJournal& journal) {
  plan.state = state;
  journal.write(plan);
}

}  // namespace

bool RollbackOutcome::is_everything_where_intended() const {
  return std::all_of(tags.begin(), tags.end(), [](const MoveOutcome& tag) { return tag.problem.empty(); });
}

RollbackPlan plan_rollback(RemoteSession& session, const ReleaseRecord& release, const std::vector<std::string>& names,
                           const std::string& tag, const HealthCheck& health, UnixSeconds now) {
  if (!oci::is_valid_tag(tag)) throw Error(Category::usage, fmt::format("'{}' is no tag", printable(tag)));
  RollbackPlan plan{release.name, release.registry, tag, format_rfc3339(now), RollbackPlan::State::moving, health, {}};
  std::vector<ImageAtRegistry> places;
  for (const ReleasedImage* image : chosen(release, names)) {
    plan.moves.push_back({image->name, image->repository, std::nullopt, image->manifest.digest});
    places.push_back({session.repository_of(image->by_digest()), image->manifest});
  }
  const auto verdicts = verify_images(session, places);
  std::string problems;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    for (const std::string& problem : verdicts[i].problems)
      problems += fmt::format("  {}: {}\n", plan.moves[i].repository, problem);
  }
  if (!problems.empty()) {
    Error error(Category::network, fmt::format("release '{}' is not whole any more; no tag was moved", release.name));
    error.set_detail(problems);
    throw error;
  }
  ThreadPool pool(parallel_changes(session));
  pool.parallel_for(plan.moves.size(),
                    [&](std::size_t i) { plan.moves[i].from = digest_of(session, plan.moves[i].tagged(tag)); });
  return plan;
}

RollbackOutcome carry_out(RemoteSession& session, RollbackPlan& plan, const RollbackJournal& journal,
                          const AskHealth& ask_health) {
  set_state(plan, RollbackPlan::State::moving, journal);
  std::string failure;
  for (const std::string& problem : bring_all(session, plan, Direction::to_release)) {
    if (failure.empty() && !problem.empty()) failure = problem;
  }
  if (failure.empty() && plan.health.kind != HealthCheck::Kind::none) {
    if (const auto unhealthy = ask_health(plan.health))
      failure = fmt::format("the health check failed: {}", *unhealthy);
    session.cancel().check();
  }
  if (failure.empty()) {
    set_state(plan, RollbackPlan::State::done, journal);
    return {{}, look(session, plan, Direction::to_release)};
  }
  RollbackOutcome outcome = undo(session, plan, journal);
  outcome.failure = failure;
  return outcome;
}

RollbackOutcome undo(RemoteSession& session, RollbackPlan& plan, const RollbackJournal& journal) {
  set_state(plan, RollbackPlan::State::undoing, journal);
  const std::vector<std::string> problems = bring_all(session, plan, Direction::back);
  RollbackOutcome outcome{{}, look(session, plan, Direction::back)};
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (!problems[i].empty() && !outcome.tags[i].problem.empty()) outcome.tags[i].problem = problems[i];
  }
  set_state(plan, outcome.is_everything_where_intended() ? RollbackPlan::State::undone : RollbackPlan::State::stuck,
            journal);
  return outcome;
}

}  // namespace kiln
