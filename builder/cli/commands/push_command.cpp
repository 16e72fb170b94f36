#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/build/remembered_push.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/images/found_image.hpp"
#include "builder/cli/images/image_policy.hpp"
#include "builder/cli/images/kept_provenance.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/push_outcome.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/buildx_flags.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/sign/image_signatures.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct PushWords {
  std::string reference;
  std::vector<std::string> targets;
  std::optional<std::string> sign_key;
  std::optional<std::string> fleet_policy;
  std::optional<std::string> progress;
  bool quiet = false;
  bool pending = false;
  bool forget = false;
  bool dry_run = false;
  bool json = false;
};

// What was put beside pushed images, and why an image was not signed that was to be.
struct PushesBeside {
  PutBeside put;
  std::optional<Error> problem;
};

// Attaches what is known of how the images were made, then signs them, once in each repository.
PushesBeside put_beside(RegistrySession& session, const std::vector<PushRequest>& requests,
                        const std::vector<PushOutcome>& outcomes, const std::optional<SigningKey>& key) {
  PushesBeside done;
  StderrLog log;
  for (std::size_t i = 0; i < requests.size() && has_default_provenance(); ++i) {
    for (std::string& image : attach_kept_provenance(session, requests[i], outcomes[i], log))
      done.put.attested.push_back(std::move(image));
  }
  if (!key) return done;
  for (const PushOutcome& outcome : outcomes) {
    for (const PushedTarget& pushed : outcome.targets) {
      oci::Reference image = pushed.target;
      image.tag.reset();
      std::vector<std::string>& images = done.put.signed_images;
      if (std::find(images.begin(), images.end(), image.str()) != images.end()) continue;
      try {
        sign_pushed_image(session.remote(), image, *key, log);
        images.push_back(image.str());
      } catch (const Error& error) {
        if (!done.problem) done.problem = error;
      }
    }
  }
  return done;
}

int push_one(const PushWords& words, const CancelToken& cancel) {
  if (words.dry_run || words.forget) throw Error(Category::usage, "--dry-run and --forget belong to --pending");
  if (words.reference.empty()) throw Error(Category::usage, "'kiln push' needs an image of the store, or --pending");
  const std::optional<SigningKey> key = push_signing_key(words.sign_key, cancel);
  const FleetPolicy policy = policy_here(words.fleet_policy);
  RegistrySession session(words.progress, words.quiet, cancel);
  const NamedImage named = find_in_store(session.store(), words.reference);
  std::vector<oci::Reference> targets;
  for (const std::string& target : words.targets) targets.push_back(oci::Reference::parse(target));
  if (targets.empty()) targets.push_back(oci::Reference::parse(named.name));
  if (policy.rules.any()) {
    ImagePolicy images(session, policy, cancel);
    for (const oci::Reference& target : targets) images.check(target, named.descriptor, std::nullopt);
    images.enforce(targets.front().str());
  }
  const std::vector<PushRequest> requests = {push_request(named.descriptor, std::move(targets))};
  const auto outcomes = push_images(session.remote(), session.store(), requests, {}, &session.transfers());
  const std::size_t remembered = remember_outcomes(session.store(), requests, outcomes, {});
  if (outcomes[0].error) {
    session.end_progress();
    StderrLog log;
    log.warn(remembered_note(remembered));
    throw *outcomes[0].error;
  }
  const PushesBeside done = put_beside(session, requests, outcomes, key);
  const OutputFormat format = words.json ? OutputFormat::json : OutputFormat::text;
  const std::string text = push_outcome_text(outcomes[0], session.remote().stats(), format, done.put);
  session.end_progress();
  print_text(text);
  if (done.problem) throw Error(*done.problem);
  return 0;
}

// Those that the words name; none named: all.
std::vector<PendingPush> chosen_pushes(const PushWords& words, const HomeLayout& home) {
  const std::vector<PendingPush> all = PendingPushes(home).list();
  std::vector<std::string> wanted = words.targets;
  if (!words.reference.empty()) wanted.push_back(words.reference);
  if (wanted.empty()) return all;
  std::vector<std::string> known;
  for (const PendingPush& push : all) known.push_back(push.target);
  std::vector<PendingPush> chosen;
  for (const std::string& word : wanted) {
    const std::string name = oci::Reference::parse(word).str();
    const auto it = std::find_if(all.begin(), all.end(), [&](const PendingPush& push) { return push.target == name; });
    if (it == all.end())
      throw Error(Category::usage, fmt::format("no push of '{}' is pending{}", name, suggestion(name, known)));
    chosen.push_back(*it);
  }
  return chosen;
}

json json_of(const PendingPush& push) {
  return {{"name", push.target}, {"digest", push.root.digest.str()}, {"since", push.since}, {"problem", push.problem}};
}

void print_pushes(const std::vector<PendingPush>& pushes, const char* outcome, bool as_json) {
  json list = json::array();
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left, TextTable::Align::left}, 3);
  table.add({{"IMAGE", TextStyle::bold},
             {"DIGEST", TextStyle::bold},
             {"SINCE", TextStyle::bold},
             {"PROBLEM", TextStyle::bold}});
  for (const PendingPush& push : pushes) {
    list.push_back(json_of(push));
    list.back()["outcome"] = outcome;
    table.add({{printable(push.target)}, {push.root.digest.short_hex()}, {push.since}, {printable(push.problem)}});
  }
  if (as_json) {
    print_json(json{{"targets", list}});
  } else if (pushes.empty()) {
    print_text("no push is pending\n");
  } else {
    print_table(table);
  }
}

int send_pending(const PushWords& words, const std::vector<PendingPush>& pushes, const CancelToken& cancel) {
  const std::optional<SigningKey> key = push_signing_key(words.sign_key, cancel);
  const FleetPolicy policy = policy_here(words.fleet_policy);
  RegistrySession session(words.progress, words.quiet, cancel);
  std::vector<PushRequest> requests;
  BlobSources sources;
  for (const PendingPush& push : pushes) {
    requests.push_back({push.root, {oci::Reference::parse(push.target)}});
    for (const PendingPush::Blob& blob : push.blobs) {
      session.store().lease(blob.digest);
      if (blob.source.empty()) continue;
      sources[blob.digest] = blob.source;
      session.remote().locations().add(blob.digest, session.remote().repository_of(oci::Reference::parse(blob.source)));
    }
  }
  if (policy.rules.any()) {
    ImagePolicy images(session, policy, cancel);
    for (const PushRequest& request : requests) images.check(request.targets.front(), request.root, std::nullopt);
    if (!requests.empty()) images.enforce(requests.front().targets.front().str());
  }
  const auto outcomes = push_images(session.remote(), session.store(), requests, {}, &session.transfers());
  remember_outcomes(session.store(), requests, outcomes, sources);
  const PushesBeside done = put_beside(session, requests, outcomes, key);
  session.end_progress();
  json list = json::array();
  const Error* first = nullptr;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < pushes.size(); ++i) {
    const auto& error = outcomes[i].error;
    if (error && !first) first = &*error;
    failed += error ? 1 : 0;
    list.push_back(json_of(pushes[i]));
    list.back()["outcome"] = error ? "failed" : "pushed";
    list.back()["problem"] = error ? error->message() : "";
    if (!words.json)
      print_text(fmt::format("{} {}@{}\n", error ? "failed" : "pushed", pushes[i].target, pushes[i].root.digest.str()));
  }
  if (words.json) {
    print_json(json{{"targets", list}, {"attested", done.put.attested}, {"signed", done.put.signed_images}});
  } else {
    print_text(put_beside_text(done.put));
  }
  if (!first && done.problem) throw Error(*done.problem);
  if (!first) return 0;
  Error error = *first;
  throw error.add_context(fmt::format("{} of {} pushes failed and stay pending", failed, pushes.size()));
}

int run_push(const PushWords& words, const CancelToken& cancel) {
  if (!words.pending) return push_one(words, cancel);
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const std::vector<PendingPush> pushes = chosen_pushes(words, home);
  if (words.dry_run || pushes.empty()) {
    print_pushes(pushes, "pending", words.json);
    return 0;
  }
  if (!words.forget) return send_pending(words, pushes, cancel);
  std::vector<std::string> targets;
  for (const PendingPush& push : pushes) targets.push_back(push.target);
  PendingPushes(home).update(targets, {});
  print_pushes(pushes, "forgotten", words.json);
  return 0;
}

}  // namespace

void add_push_command(Arguments& root) {
  const auto words = std::make_shared<PushWords>();
  Arguments& push = root.command("push", "Push an image of the store to a registry.");
  add_fleet_policy_word(push, words->fleet_policy);
  push.positional("REF", words->reference, "the image's name in the store")
      .positional("TARGET", words->targets, "names to give it at registries (default: REF)")
      .flag("--pending", words->pending,
            "send what an earlier push, build or bake could not send (or the names given of it)")
      .flag("--dry-run", words->dry_run, "with --pending: show what would be sent")
      .flag("--forget", words->forget, "with --pending: send nothing, forget it")
      .option("--sign-key", words->sign_key, kSignKeyHelp)
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .flag("-q,--quiet", words->quiet, "show no progress")
      .flag("--json", words->json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_push(*words, cancel); });
}

}  // namespace kiln::cli
