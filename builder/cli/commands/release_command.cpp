#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/version.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/cli/words/published_images.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/sign/image_signatures.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct ReleaseWords {
  PublishedWords fleet;
  std::string name;
  std::vector<std::string> images;
  std::string from;
  std::optional<std::string> file;
  std::optional<std::string> sign_key;
  std::optional<std::string> key;
  bool force = false;
  bool dry_run = false;
  bool as_json = false;
};

json json_of(const ReleaseRecord& release) { return parse_own_json(to_json_text(release)); }

StoredRelease existing_release(RemoteSession& session, const std::string& registry, const std::string& name) {
  if (auto release = fetch_release(session, registry, name)) return std::move(*release);
  std::vector<std::string> names;
  for (const StoredRelease& release : fetch_releases(session, registry)) names.push_back(release.record.name);
  throw Error(Category::usage, fmt::format("'{}' has no release '{}'{}", registry, name, suggestion(name, names)));
}

const char* outcome_of(const ReleasePlan& plan, std::size_t i) {
  if (!plan.tags[i].now) return "new";
  return *plan.tags[i].now == plan.record.images[i].manifest.digest ? "unchanged" : "moved";
}

// Signs the record, which names every image by digest.
void sign_record(RemoteSession& session, const ReleaseRecord& record, const oci::Descriptor& artifact,
                 const SigningKey& key) {
  const oci::Reference reference = release_reference(record.registry, record.name).with_digest(artifact.digest);
  with_context(
      [&] {
        return fmt::format("release '{}' was made and is not signed; the same command once more signs it", record.name);
      },
      [&] {
        const SignedImage done = sign_image(session, reference, key);
        if (!done.refusal.empty()) StderrLog().warn(refused_subject_note(done));
      });
}

void print_created(const ReleaseWords& words, const ReleasePlan& plan, const oci::Descriptor& artifact,
                   const fs::path& file, const std::optional<SigningKey>& key) {
  const std::string reference = release_reference(plan.record.registry, plan.record.name).str();
  if (words.as_json) {
    json tags = json::array();
    for (std::size_t i = 0; i < plan.tags.size(); ++i) {
      const ReleasedImage& image = plan.record.images[i];
      tags.push_back({{"name", image.repository + ":" + plan.record.name},
                      {"digest", image.manifest.digest.str()},
                      {"outcome", outcome_of(plan, i)}});
    }
    const json verified = {{"manifests", plan.manifests}, {"blobs", plan.blobs}, {"bytes", plan.bytes}};
    print_json(json{{"release", json_of(plan.record)},
                    {"reference", reference},
                    {"artifact", artifact.digest.str()},
                    {"file", file.string()},
                    {"tags", tags},
                    {"verified", verified},
                    {"conflicts", plan.conflicts()},
                    {"signed_by", key ? json(key->public_key().fingerprint()) : json()},
                    {"dry_run", words.dry_run}});
    return;
  }
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::right, TextTable::Align::left}, 0);
  table.add(
      {{"IMAGE", TextStyle::bold}, {"DIGEST", TextStyle::bold}, {"SIZE", TextStyle::bold}, {"TAG", TextStyle::bold}});
  for (std::size_t i = 0; i < plan.tags.size(); ++i) {
    const ReleasedImage& image = plan.record.images[i];
    table.add({{image.repository + ":" + image.tag},
               {image.manifest.digest.short_hex()},
               {human_bytes(image.compressed_bytes)},
               {outcome_of(plan, i)}});
  }
  print_table(table);
  print_text(
      fmt::format("verified {} manifests and {} blobs, {}\n", plan.manifests, plan.blobs, human_bytes(plan.bytes)));
  if (words.dry_run) {
    for (const std::string& conflict : plan.conflicts()) print_text(fmt::format("needs --force: {}\n", conflict));
    print_text(fmt::format("would release {}; nothing was changed\n", reference));
  } else {
    print_text(fmt::format("released {}@{}\nwritten to {}\n", reference, artifact.digest.str(), file.string()));
    if (key) print_text(fmt::format("signed by key {}\n", key->public_key().fingerprint()));
  }
}

int run_create(const ReleaseWords& words, const CancelToken& cancel) {
  refuse_unwritable(words.file, "--record");
  const std::optional<SigningKey> key = words.dry_run ? std::nullopt : push_signing_key(words.sign_key, cancel);
  const PublishedImages published = published_images(words.fleet, words.images, words.from);
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const ReleasePlan plan =
      plan_release(*session, {words.name, published.registry, published.images, kVersion, now_unix_seconds()});
  const fs::path file = words.file ? fs::path(*words.file) : published.releases / (words.name + ".json");
  if (words.dry_run) {
    print_created(words, plan, release_artifact(plan.record), file, key);
    return 0;
  }
  const oci::Descriptor artifact = carry_out(*session, plan, words.force ? Force::yes : Force::no);
  if (!words.file) make_directories(file.parent_path());
  write_file_atomically(file, to_json_text(plan.record));
  if (key) sign_record(*session, plan.record, artifact, *key);
  print_created(words, plan, artifact, file, key);
  return 0;
}

int run_list(const ReleaseWords& words, const CancelToken& cancel) {
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const auto releases = fetch_releases(*session, registry_of_releases(words.fleet));
  json list = json::array();
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::right, TextTable::Align::right,
                   TextTable::Align::left},
                  0);
  table.add({{"RELEASE", TextStyle::bold},
             {"CREATED", TextStyle::bold},
             {"IMAGES", TextStyle::bold},
             {"SIZE", TextStyle::bold},
             {"DIGEST", TextStyle::bold}});
  for (const StoredRelease& release : releases) {
    std::uint64_t bytes = 0;
    for (const ReleasedImage& image : release.record.images) bytes += image.compressed_bytes;
    list.push_back({{"release", json_of(release.record)}, {"artifact", release.artifact.digest.str()}});
    table.add({{release.record.name},
               {printable(release.record.created)},
               {std::to_string(release.record.images.size())},
               {human_bytes(bytes)},
               {release.artifact.digest.short_hex()}});
  }
  if (words.as_json) {
    print_json(list);
  } else {
    print_table(table);
  }
  return 0;
}

int run_show(const ReleaseWords& words, const CancelToken& cancel) {
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const StoredRelease release = existing_release(*session, registry_of_releases(words.fleet), words.name);
  if (words.as_json) {
    fmt::print("{}", visible_json(to_json_text(release.record)));
    return 0;
  }
  print_field("Release", release_reference(release.record.registry, release.record.name).str());
  print_field("Digest", release.artifact.digest.str());
  print_field("Created", release.record.created);
  print_field("By", "kiln " + release.record.kiln_version);
  for (const ReleasedImage& image : release.record.images) {
    print_text(fmt::format("{}  {}\n", printable(image.by_digest().str()), human_bytes(image.compressed_bytes)));
  }
  return 0;
}

int run_verify(const ReleaseWords& words, const CancelToken& cancel) {
  const std::optional<VerificationKey> key = wanted_verification_key(words.key);
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  const std::string registry = registry_of_releases(words.fleet);
  const StoredRelease release = existing_release(*session, registry, words.name);
  const oci::Reference reference = release_reference(registry, words.name);
  const bool is_signed =
      key && verify_signatures(*session, reference.with_digest(release.artifact.digest), *key).is_signed();
  if (key && !words.as_json) {
    print_text(fmt::format("{} {}@{}: {} by key {}\n", is_signed ? "verified" : "not signed", reference.str(),
                           release.artifact.digest.str(), is_signed ? "signed" : "no signature", key->fingerprint()));
  }
  const auto problems = verify_release(*session, release.record);
  bool whole = true;
  json list = json::array();
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const ReleasedImage& image = release.record.images[i];
    whole = whole && problems[i].empty();
    list.push_back({{"image", image.by_digest().str()}, {"problems", problems[i]}});
    if (words.as_json) continue;
    print_text(fmt::format("{} {}\n", problems[i].empty() ? "whole" : "broken", printable(image.by_digest().str())));
    for (const std::string& problem : problems[i]) print_text(fmt::format("  {}\n", printable(problem)));
  }
  if (words.as_json) {
    print_json(json{{"release", release.record.name},
                    {"whole", whole},
                    {"signed", key ? json(is_signed) : json()},
                    {"images", list}});
  }
  return whole && (is_signed || !key) ? 0 : 1;
}

}  // namespace

void add_release_command(Arguments& root) {
  const auto words = std::make_shared<ReleaseWords>();
  Arguments& release =
      root.command("release", "Name the images of a fleet, by digest, as they are at the registry now.");
  Arguments& create = release.command("create", "Verify the images, tag them with NAME and record their digests.");
  create.required_positional("NAME", words->name, "the release's name, a tag")
      .positional("IMAGE", words->images, "targets, images or groups (default: the group 'default')")
      .option("--profile", words->fleet.profiles, "images of this machine profile only")
      .option("--from", words->from, "the tag that the images are released from (default: latest)")
      .option("--record", words->file, "write the record here (default: releases/NAME.json beside the definitions)")
      .option("--sign-key", words->sign_key, kSignKeyHelp)
      .flag("--force", words->force, "move tags and a release that refer to something else")
      .flag("--dry-run", words->dry_run, "verify and show; change nothing")
      .flag("--json", words->as_json, "print the result as JSON")
      .handler([words](const CancelToken& cancel) { return run_create(*words, cancel); });
  add_published_words(create, words->fleet);
  Arguments& list = release.command("list", "List the releases that the registry has.");
  list.flag("--json", words->as_json, "as JSON").handler([words](const CancelToken& cancel) {
    return run_list(*words, cancel);
  });
  add_published_words(list, words->fleet);
  Arguments& show = release.command("show", "Show the images of a release.");
  show.required_positional("RELEASE", words->name, "the release")
      .flag("--json", words->as_json, "the record as it is")
      .handler([words](const CancelToken& cancel) { return run_show(*words, cancel); });
  add_published_words(show, words->fleet);
  Arguments& verify =
      release.command("verify", "Look whether every manifest, blob and tag of a release is still there.");
  verify.required_positional("RELEASE", words->name, "the release")
      .option("--key", words->key,
              "and that its record is signed by this public key: FILE or env://NAME (default: $KILN_VERIFY_KEY)")
      .flag("--json", words->as_json, "as JSON")
      .handler([words](const CancelToken& cancel) { return run_verify(*words, cancel); });
  add_published_words(verify, words->fleet);
}

}  // namespace kiln::cli
