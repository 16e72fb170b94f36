#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/signed_images.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/fleet_images.hpp"
#include "builder/cli/words/published_images.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/dockerfile/duration.hpp"
#include "builder/release/health_probe.hpp"
#include "builder/release/rollback.hpp"
#include "registry/remote/url.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct RollbackWords {
  PublishedWords fleet;
  std::string release;
  std::vector<std::string> images;
  std::string tag = "latest";
  std::optional<std::string> key;
  std::string health_url;
  std::string health_command;
  std::string timeout = "30s";
  bool resume = false;
  bool undo = false;
  bool abandon = false;
  bool dry_run = false;
  bool as_json = false;
};

HealthCheck health_of(const RollbackWords& words) {
  const auto timeout_ns = dockerfile::parse_duration(words.timeout);
  if (!timeout_ns || *timeout_ns < 1'000'000 || *timeout_ns > std::int64_t{86'400} * 1'000'000'000) {
    throw Error(Category::usage,
                fmt::format("--timeout: '{}' is no duration such as 30s or 2m", printable(words.timeout)));
  }
  const int timeout_ms = static_cast<int>(*timeout_ns / 1'000'000);
  if (!words.health_url.empty() && !words.health_command.empty())
    throw Error(Category::usage, "--health and --health-cmd exclude one another");
  if (!words.health_command.empty()) return {HealthCheck::Kind::command, words.health_command, timeout_ms};
  if (words.health_url.empty()) return {HealthCheck::Kind::none, {}, timeout_ms};
  try {
    Url::parse(words.health_url);
  } catch (const Error& error) {
    throw Error(Category::usage, "--health: " + error.message());
  }
  return {HealthCheck::Kind::url, words.health_url, timeout_ms};
}

json digest_or_null(const std::optional<oci::Digest>& digest) { return digest ? json(digest->str()) : json(); }

json json_of(const RollbackPlan& plan, const RollbackOutcome* outcome) {
  json moves = json::array();
  for (std::size_t i = 0; i < plan.moves.size(); ++i) {
    const TagMove& move = plan.moves[i];
    json entry = {{"image", move.name},
                  {"tag", move.tagged(plan.tag).str()},
                  {"from", digest_or_null(move.from)},
                  {"to", move.to.str()}};
    if (outcome) {
      entry["now"] = digest_or_null(outcome->tags[i].now);
      entry["problem"] = outcome->tags[i].problem;
    }
    moves.push_back(std::move(entry));
  }
  json result = {{"release", plan.release}, {"tag", plan.tag}, {"moves", std::move(moves)}};
  if (outcome) {
    result["state"] = std::string(to_string(plan.state));
    result["failure"] = outcome->failure;
  }
  return result;
}

std::string short_of(const std::optional<oci::Digest>& digest) { return digest ? digest->short_hex() : "(none)"; }

void print_plan(const RollbackPlan& plan) {
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left, TextTable::Align::left}, 0);
  table.add({{"TAG", TextStyle::bold}, {"NOW", TextStyle::bold}, {"THEN", TextStyle::bold}, {"", TextStyle::bold}});
  for (const TagMove& move : plan.moves) {
    table.add({{move.tagged(plan.tag).str()},
               {short_of(move.from)},
               {move.to.short_hex()},
               {move.is_needed() ? "moves" : "stays"}});
  }
  print_table(table);
  std::fflush(stdout);
}

// The verdict in words, and what is where if that is not where it was to be.
int conclude(const RollbackPlan& plan, const RollbackOutcome& outcome, bool as_json) {
  const bool is_well = outcome.failure.empty() && outcome.is_everything_where_intended();
  if (as_json) print_json(json_of(plan, &outcome));
  if (is_well) {
    if (!as_json)
      print_text(fmt::format("{}\n", plan.state == RollbackPlan::State::done
                                         ? fmt::format("rolled back to {}", plan.release)
                                         : "every tag is back where it was"));
    return 0;
  }
  std::string detail;
  for (const MoveOutcome& tag : outcome.tags) {
    detail += fmt::format("  {} names {}{}\n", tag.move->tagged(plan.tag).str(), tag.now ? tag.now->str() : "nothing",
                          tag.problem.empty() ? "" : ": " + printable(tag.problem));
  }
  std::string message = outcome.failure.empty() ? "some tags are not where they should be" : printable(outcome.failure);
  message += plan.state == RollbackPlan::State::stuck
                 ? "; not everything could be undone: 'kiln rollback --undo' tries again, '--resume' goes on, "
                   "'--abandon' leaves the tags where they are"
             : plan.state == RollbackPlan::State::undone ? "; everything was undone"
                                                         : "";
  Error error(Category::build, message);
  error.set_detail(detail);
  throw error;
}

std::vector<oci::Reference> digests_of(const RollbackPlan& plan) {
  std::vector<oci::Reference> images;
  for (const TagMove& move : plan.moves) images.push_back(oci::Reference::parse(move.repository).with_digest(move.to));
  return images;
}

// The record and the images that the tags are to name. Without a key nothing is asked.
void require_signed(RemoteSession& session, const RollbackPlan& plan, const std::optional<oci::Descriptor>& record,
                    const std::optional<VerificationKey>& key) {
  if (!key) return;
  std::vector<oci::Reference> images = digests_of(plan);
  if (record) images.push_back(release_reference(plan.registry, plan.release).with_digest(record->digest));
  require_signatures(session, images, *key, "no tag was moved");
}

RollbackPlan recorded_plan(const RollbackJournal& journal) {
  if (auto plan = journal.current()) return std::move(*plan);
  throw Error(Category::usage, "no rollback is under way in this home; there is nothing to resume, undo or abandon");
}

int run_recorded(const RollbackWords& words, const RollbackJournal& journal, RemoteSession& session,
                 const CancelToken& cancel) {
  if (!words.release.empty())
    throw Error(Category::usage, "--resume, --undo and --abandon take the recorded rollback; leave the release out");
  RollbackPlan plan = recorded_plan(journal);
  if (!words.as_json) print_plan(plan);
  if (words.dry_run) {
    if (words.as_json) print_json(json_of(plan, nullptr));
    return 0;
  }
  if (words.abandon) {
    plan.state = RollbackPlan::State::abandoned;
    journal.write(plan);
    if (words.as_json) {
      print_json(json_of(plan, nullptr));
    } else {
      print_text("the recorded rollback was given up; no tag was moved\n");
    }
    return 0;
  }
  if (words.undo) return conclude(plan, undo(session, plan, journal), words.as_json);
  require_signed(session, plan, std::nullopt, wanted_verification_key(words.key));
  return conclude(
      plan, carry_out(session, plan, journal, [&](const HealthCheck& check) { return probe_health(check, cancel); }),
      words.as_json);
}

// An image without its profile is what the release holds of its profiles.
std::vector<std::string> names_in(const ReleaseRecord& release, const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const std::string& word : words) {
    const std::size_t before = names.size();
    if (!release.find(word)) {
      for (const std::string& target : targets_of_image(word)) {
        if (release.find(target)) names.push_back(target);
      }
    }
    if (names.size() == before) names.push_back(word);
  }
  return names;
}

int run_rollback(const RollbackWords& words, const CancelToken& cancel) {
  if (words.resume + words.undo + words.abandon > 1)
    throw Error(Category::usage, "--resume, --undo and --abandon exclude one another");
  const HealthCheck health = health_of(words);
  const std::optional<VerificationKey> key = wanted_verification_key(words.key);
  StderrLog log;
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const RollbackJournal journal(home.root() / kRollbacksFolder, home.locks() / "rollbacks");
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  if (words.resume || words.undo || words.abandon) return run_recorded(words, journal, *session, cancel);
  if (words.release.empty())
    throw Error(Category::usage, "'kiln rollback' needs a release; 'kiln release list' lists them");
  if (const auto open = journal.current()) {
    throw Error(
        Category::usage,
        fmt::format(
            "a rollback to '{}' was begun at {} and not ended; 'kiln rollback --resume' finishes it, '--undo' puts "
            "the tags back",
            open->release, open->created));
  }
  const std::string registry = registry_of_releases(words.fleet);
  const auto release = fetch_release(*session, registry, words.release);
  if (!release) {
    throw Error(Category::usage, fmt::format("'{}' has no release '{}'; 'kiln release list' lists those it has",
                                             registry, printable(words.release)));
  }
  RollbackPlan plan = plan_rollback(*session, release->record, names_in(release->record, words.images), words.tag,
                                    health, now_unix_seconds());
  require_signed(*session, plan, release->artifact, key);
  if (!words.as_json) print_plan(plan);
  if (words.dry_run) {
    if (words.as_json) print_json(json_of(plan, nullptr));
    return 0;
  }
  return conclude(
      plan, carry_out(*session, plan, journal, [&](const HealthCheck& check) { return probe_health(check, cancel); }),
      words.as_json);
}

}  // namespace

void add_rollback_command(Arguments& root) {
  const auto words = std::make_shared<RollbackWords>();
  Arguments& command =
      root.command("rollback", "Give the images of a release back a tag, and undo that where it does not go well.");
  command.positional("RELEASE", words->release, "the release")
      .positional("IMAGE", words->images,
                  "images of the release, without a profile all of theirs (default: all images)")
      .option("--tag", words->tag, "the tag that moves (default: latest)")
      .option("--key", words->key,
              "the release's record and its images must be signed by this public key: FILE or env://NAME (default: "
              "$KILN_VERIFY_KEY)")
      .option("--health", words->health_url, "a URL that must answer 2xx once the tags have moved")
      .option("--health-cmd", words->health_command,
              "a command that must end with exit code 0 once the tags have moved")
      .option("--timeout", words->timeout, "how long to ask for health (default: 30s)")
      .flag("--resume", words->resume, "finish the rollback that was interrupted, its health check included")
      .flag("--undo", words->undo, "put the tags of the rollback that was interrupted back")
      .flag("--abandon", words->abandon,
            "forget the rollback that was interrupted or could not be undone; tags stay where they are")
      .flag("--dry-run", words->dry_run, "show the plan; change nothing")
      .flag("--json", words->as_json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_rollback(*words, cancel); });
  add_published_words(command, words->fleet);
}

}  // namespace kiln::cli
