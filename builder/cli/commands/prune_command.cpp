#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cache/entry_bundle.hpp"
#include "builder/cache/registry_backend.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/github_access.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/retention/execute_plan.hpp"
#include "builder/retention/prune_scope.hpp"
#include "builder/retention/released_digests.hpp"
#include "registry/store/layout.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

struct PruneWords {
  std::vector<std::string> prefix;
  std::optional<std::string> file;
  bool registry = false;
  bool yes = false;
  bool dry_run = false;
  bool json = false;
};

// The keys of the steps that the bundles of a cache hold: what the last builds of each target used, on whichever
// machine. A bundle that was not renewed for as long as an entry may be old has no user.
std::set<std::string> bundled_keys(RemoteSession& session, const std::vector<RepositoryContents>& contents,
                                   UnixSeconds now) {
  std::set<std::string> keys;
  for (const RepositoryContents& repository : contents) {
    std::vector<std::string> bundles;
    for (const auto& [digest, manifest] : repository.manifests) {
      const bool is_young = manifest.date && now - *manifest.date < kCacheEntryAge;
      if (manifest.artifact_type == kBundleEntryType && is_young)
        bundles.insert(bundles.end(), manifest.tags.begin(), manifest.tags.end());
    }
    if (bundles.empty()) continue;
    RegistryBackend cache(repository.name, session);
    for (const CacheFinding& found : cache.find(bundles)) {
      if (!found.entry) continue;
      for (const CacheEntry& entry : parse_bundle(found.entry->content, cache.name())) keys.insert(entry.key);
    }
  }
  return keys;
}

// What is used: `bundled`, and the keys of the steps that this machine's build records name for images that stay.
class RecordedUse : public CacheUse {
 public:
  RecordedUse(const BuildRecordStore& records, const std::set<oci::Digest>& kept, std::set<std::string> bundled)
      : keys_(std::move(bundled)) {
    for (const std::string& id : records.ids()) {
      const auto record = records.load(id);
      if (!record) continue;
      for (const BuildRecordTarget& target : record->targets) {
        if (!target.digest || !kept.contains(*target.digest)) continue;
        for (const BuildRecordStep& step : target.steps) keys_.insert(step.key);
      }
    }
  }
  bool is_used(const StoredManifest& entry) const override {
    return std::any_of(entry.tags.begin(), entry.tags.end(),
                       [&](const std::string& tag) { return keys_.contains(tag); });
  }

 private:
  std::set<std::string> keys_;
};

// Where an image's repository could not be read, what its builds used is not known.
class AllUse : public CacheUse {
 public:
  bool is_used(const StoredManifest&) const override { return true; }
};

class NoUse : public CacheUse {
 public:
  bool is_used(const StoredManifest&) const override { return false; }
};

RetentionPlan make_plan(const std::vector<RepositoryContents>& contents, RetentionRules rules, const HomeLayout& home,
                        RemoteSession& session, bool keeps_cache) {
  const AllUse all;
  if (keeps_cache) {
    rules.cache_use = &all;
    return plan_retention(contents, rules);
  }
  const NoUse none;
  rules.cache_use = &none;
  std::set<oci::Digest> kept;
  for (const RepositoryPlan& repository : plan_retention(contents, rules).repositories) {
    for (const KeptManifest& manifest : repository.kept) kept.insert(manifest.digest);
  }
  const RecordedUse use(BuildRecordStore(home.builds()), kept, bundled_keys(session, contents, rules.now));
  rules.cache_use = &use;
  return plan_retention(contents, rules);
}

// A repository that the registry listed and does not know is an error, not an empty one.
RepositoryContents read_listed(RemoteSession& session, const RemoteRepository& place, const GithubPackages* packages,
                               bool is_listed) {
  RepositoryContents contents = read_repository(session, place, packages);
  if (contents.is_known || !is_listed) return contents;
  throw Error(
      Category::network,
      fmt::format("'{}' is listed and then not found{}", place.name(),
                  packages ? ": the token lacks the scopes read:packages and delete:packages, or in Actions the "
                             "role Admin under the package's settings, 'Manage Actions access'"
                           : "; the account may not see it"));
}

const char* name_of(PlannedKind kind) { return kind == PlannedKind::cache_entry ? "cache entry" : "image"; }

json to_json(const RetentionPlan& plan) {
  json document = {
      {"delete_count", plan.deletions}, {"freed_bytes", plan.freed_bytes}, {"repositories", json::array()}};
  for (const RepositoryPlan& repository : plan.repositories) {
    json kept = json::array();
    for (const KeptManifest& manifest : repository.kept) {
      kept.push_back({{"digest", manifest.digest.str()},
                      {"tags", manifest.tags},
                      {"kind", name_of(manifest.kind)},
                      {"reason", manifest.reason}});
    }
    json deletions = json::array();
    for (const Deletion& deletion : repository.deletions) {
      deletions.push_back({{"digest", deletion.digest.str()},
                           {"tags", deletion.tags},
                           {"kind", name_of(deletion.kind)},
                           {"date", deletion.date ? json(format_rfc3339(*deletion.date)) : json()},
                           {"freed_bytes", deletion.freed_bytes}});
      if (deletion.version) deletions.back()["version"] = *deletion.version;
    }
    document["repositories"].push_back({{"name", repository.name},
                                        {"known", repository.is_known},
                                        {"keep", kept},
                                        {"delete", deletions},
                                        {"left_as_is", repository.remarks}});
  }
  return document;
}

std::string entries_text(std::size_t count) {
  return fmt::format("{} cache {}", count, count == 1 ? "entry" : "entries");
}

// Their tags are keys, which say nothing to people: a row for each reason, and one for those that go.
void add_cache_entries(TextTable& table, const RepositoryPlan& repository) {
  std::map<std::string, std::size_t> kept;
  for (const KeptManifest& manifest : repository.kept) {
    if (manifest.kind == PlannedKind::cache_entry) ++kept[manifest.reason];
  }
  for (const auto& [reason, count] : kept)
    table.add({{"  keep"}, {entries_text(count)}, {reason, TextStyle::dim}, {""}});
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const Deletion& deletion : repository.deletions) {
    if (deletion.kind != PlannedKind::cache_entry) continue;
    ++count;
    bytes += deletion.freed_bytes;
  }
  if (count)
    table.add({{"  delete", TextStyle::bad},
               {entries_text(count)},
               {"older than 14 days, unused", TextStyle::dim},
               {human_bytes(bytes)}});
}

void print_plan(const RetentionPlan& plan) {
  for (const RepositoryPlan& repository : plan.repositories) {
    if (!repository.is_known) {
      print_text(fmt::format("{}: the registry knows no such repository\n", printable(repository.name)));
      continue;
    }
    print_text(fmt::format("{}: keep {}, delete {}\n", printable(repository.name), repository.kept.size(),
                           repository.deletions.size()));
    for (const std::string& remark : repository.remarks) print_text(fmt::format("  left as it is: {}\n", remark));
    TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::left, TextTable::Align::right},
                    1);
    for (const KeptManifest& manifest : repository.kept) {
      if (manifest.kind == PlannedKind::cache_entry || manifest.tags.empty()) continue;
      table.add({{"  keep"}, {join(manifest.tags, " ")}, {manifest.reason, TextStyle::dim}, {""}});
    }
    for (const Deletion& deletion : repository.deletions) {
      if (deletion.kind == PlannedKind::cache_entry) continue;
      table.add({{"  delete", TextStyle::bad},
                 {deletion.tags.empty() ? "@" + deletion.digest.short_hex() : join(deletion.tags, " ")},
                 {deletion.is_broken ? "its config is gone"
                  : deletion.date    ? format_rfc3339(*deletion.date).substr(0, 10)
                                     : "",
                  TextStyle::dim},
                 {human_bytes(deletion.freed_bytes)}});
    }
    add_cache_entries(table, repository);
    if (!table.empty()) print_table(table);
  }
}

PruneOutcome execute(RemoteSession& session, const PruneScope& scope, const RetentionPlan& plan,
                     const GithubPackages* packages, const fs::path& restore_file) {
  PruneOutcome sum;
  for (std::size_t i = 0; i < plan.repositories.size(); ++i) {
    PruneOutcome outcome =
        execute_plan(session, scope.repositories[i].endpoint, plan.repositories[i], packages, restore_file);
    sum.deleted += outcome.deleted;
    sum.freed_bytes += outcome.freed_bytes;
    sum.left.insert(sum.left.end(), outcome.left.begin(), outcome.left.end());
  }
  return sum;
}

int run_prune(const PruneWords& words, const CancelToken& cancel) {
  if (!words.registry)
    throw Error(Category::usage,
                "'kiln prune' prunes registries; write 'kiln prune --registry [PREFIX]', or 'kiln cache prune' for "
                "this machine's store");
  if (words.yes && words.dry_run)
    throw Error(Category::usage, "'--dry-run' deletes nothing and '--yes' does: give one of them");
  if (words.prefix.size() > 1) throw Error(Category::usage, "'kiln prune' takes one prefix at a time");
  StderrLog log;
  const HomeLayout home = HomeLayout::open(HomeLayout::default_root());
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  RetentionRules rules;
  rules.now = now_unix_seconds();
  PruneScope scope;
  std::unique_ptr<GithubPackages> packages;
  if (words.prefix.empty() || words.file) {
    LoadFleetOptions options;
    options.working_directory = fs::current_path();
    if (words.file) options.file = *words.file;
    options.environment = environment_variable;
    const Fleet fleet = load_fleet(options);
    rules.retention = fleet.settings.retention;
    if (words.prefix.empty()) scope = scope_of_fleet(*session, fleet);
  }
  if (words.prefix.empty()) {
    packages = github_packages_of(*session, scope.registry, scope.repositories.front().repository);
  } else {
    const oci::Reference prefix = oci::Reference::parse(words.prefix.front());
    packages = github_packages_of(*session, prefix.registry, prefix.repository);
    scope = scope_of_prefix(*session, words.prefix.front(), packages.get());
  }

  std::vector<RepositoryContents> contents;
  std::vector<RemoteRepository> places;
  std::optional<Error> unread;
  for (const RemoteRepository& place : scope.repositories) {
    try {
      contents.push_back(read_listed(*session, place, packages.get(), scope.is_listed));
      places.push_back(place);
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
      log.warn(fmt::format("{}: left as it is: {}", place.name(), error.message()));
      if (!unread) unread = error;
    }
  }
  if (contents.empty() && unread) throw *unread;
  scope.repositories = std::move(places);
  rules.fixed_tags = scope.fixed_tags;
  for (const std::string& name : scope.namespaces)
    rules.released.merge(released_digests(*session, name, scope.namespaces_with_releases.contains(name)));
  const RetentionPlan plan = make_plan(contents, rules, home, *session, unread.has_value());

  json document = to_json(plan);
  if (!words.json) print_plan(plan);
  if (!words.yes) {
    document["deleted"] = 0;
    if (words.json) {
      print_json(document);
    } else if (plan.deletions == 0) {
      print_text("nothing to delete\n");
    } else {
      print_text(fmt::format("{} manifests would be deleted, {} that nothing kept shares; delete them with --yes\n",
                             plan.deletions, human_bytes(plan.freed_bytes)));
    }
    if (unread) throw *unread;
    return 0;
  }
  std::string moment = format_rfc3339(rules.now);
  std::erase_if(moment, [](char c) { return c == '-' || c == ':'; });
  const fs::path restore_file = home.root() / "prune" / fmt::format("restore-{}.txt", moment);
  const PruneOutcome outcome = execute(*session, scope, plan, packages.get(), restore_file);
  for (const std::string& left : outcome.left) log.warn("left " + left);
  const bool has_notes = packages && fs::exists(restore_file);
  if (words.json) {
    document["deleted"] = outcome.deleted;
    document["left"] = outcome.left;
    if (has_notes) document["restore_file"] = restore_file.string();
    print_json(document);
  } else {
    print_text(fmt::format("deleted {} of {} manifests, {} that nothing kept shares\n", outcome.deleted, plan.deletions,
                           human_bytes(outcome.freed_bytes)));
    if (has_notes) print_text(fmt::format("within 30 days each can be brought back: see {}\n", restore_file.string()));
  }
  if (unread) throw *unread;
  return 0;
}

}  // namespace

void add_prune_command(Arguments& root) {
  const auto words = std::make_shared<PruneWords>();
  root.command("prune",
               "Delete old images from a registry, by the fleet's retention; shows what, and deletes with --yes only.")
      .positional("PREFIX", words->prefix, "a repository or namespace to prune (default: the fleet's repositories)")
      .flag("--registry", words->registry, "prune at the registry")
      .option("-f,--file", words->file, "the fleet whose retention counts: fleet.json, its folder, or docker-bake.json")
      .flag("--yes", words->yes, "delete")
      .flag("--dry-run", words->dry_run, "show the plan and delete nothing, as without --yes")
      .flag("--json", words->json, "print plan and result as JSON")
      .handler([words](const CancelToken& cancel) { return run_prune(*words, cancel); });
}

}  // namespace kiln::cli
