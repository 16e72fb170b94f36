#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/commands/shared_prune.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_table.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/dockerfile/duration.hpp"
#include "builder/run/runner.hpp"
#include "builder/store_care/disk_usage.hpp"
#include "builder/store_care/prune.hpp"
#include "builder/store_care/verify.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

constexpr std::int64_t kDay = 86400;

// The store with all that keeps things in it. The runner comes first: without root it makes files of other users
// removable.
struct OpenStore {
  std::unique_ptr<Runner> runner = Runner::start(WithoutRoot::enter_user_namespace);
  ContentStore store{HomeLayout::open(HomeLayout::default_root())};
  ThreadPool pool;
  SnapshotStore snapshots{store, pool};
  CacheMounts mounts{store.home()};
};

json to_json(const StoreItem& item) {
  return {{"kind", to_string(item.kind)},
          {"id", item.id},
          {"description", item.description},
          {"bytes", item.bytes},
          {"last_used", format_rfc3339(item.last_used)},
          {"in_use", item.in_use}};
}

std::string age_text(std::int64_t seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds < 60) return fmt::format("{} s ago", seconds);
  if (seconds < 3600) return fmt::format("{} min ago", seconds / 60);
  if (seconds < 2 * kDay) return fmt::format("{} h ago", seconds / 3600);
  return fmt::format("{} days ago", seconds / kDay);
}

// cache du

struct Age {
  std::string_view text;
  std::int64_t below_seconds;
};
constexpr std::array kAges = {Age{"within a day", kDay}, Age{"within a week", 7 * kDay},
                              Age{"within 30 days", 30 * kDay}, Age{"longer ago", INT64_MAX}};

struct Sum {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t in_use_bytes = 0;
  UnixSeconds last_used = 0;
  std::array<std::uint64_t, kAges.size()> by_age{};

  void add(const StoreItem& item, UnixSeconds now) {
    ++count;
    bytes += item.bytes;
    if (item.in_use) in_use_bytes += item.bytes;
    last_used = std::max(last_used, item.last_used);
    const auto age = std::find_if(kAges.begin(), kAges.end(),
                                  [&](const Age& limit) { return now - item.last_used < limit.below_seconds; });
    by_age[static_cast<std::size_t>(age - kAges.begin())] += item.bytes;
  }
};

using Sums = std::map<StoreItemKind, Sum>;

json sums_json(const Sums& sums, const std::vector<StoreItem>& items) {
  json kinds = json::object();
  std::uint64_t total = 0;
  for (const auto& [kind, sum] : sums) {
    total += sum.bytes;
    json ages = json::object();
    for (std::size_t i = 0; i < kAges.size(); ++i) ages[std::string(kAges[i].text)] = sum.by_age[i];
    kinds[std::string(to_string(kind))] = {{"count", sum.count},
                                           {"bytes", sum.bytes},
                                           {"in_use_bytes", sum.in_use_bytes},
                                           {"last_used", format_rfc3339(sum.last_used)},
                                           {"by_age", std::move(ages)}};
  }
  json list = json::array();
  for (const StoreItem& item : items) list.push_back(to_json(item));
  return {{"bytes", total}, {"kinds", std::move(kinds)}, {"items", std::move(list)}};
}

void print_items(const std::vector<StoreItem>& items, UnixSeconds now) {
  using Align = TextTable::Align;
  TextTable table({Align::left, Align::left, Align::right, Align::left, Align::left}, 4);
  table.add({{"KIND", TextStyle::bold},
             {"ID", TextStyle::bold},
             {"SIZE", TextStyle::bold},
             {"LAST USED", TextStyle::bold},
             {"", TextStyle::bold}});
  for (const StoreItem& item : items) {
    table.add({{std::string(to_string(item.kind))},
               {printable(item.id)},
               {human_bytes(item.bytes)},
               {age_text(now - item.last_used)},
               {printable(item.description) + (item.in_use ? " (in use)" : "")}});
  }
  print_table(table);
}

void print_sums(const Sums& sums, UnixSeconds now) {
  using Align = TextTable::Align;
  TextTable table({Align::left, Align::right, Align::right, Align::right, Align::left, Align::right, Align::right,
                   Align::right, Align::right},
                  0);
  std::vector<TextCell> head;
  for (const char* word : {"KIND", "COUNT", "SIZE", "IN USE", "LAST USED", "<1 DAY", "<1 WEEK", "<30 DAYS", "OLDER"})
    head.push_back({word, TextStyle::bold});
  table.add(head);
  std::uint64_t total = 0;
  for (const StoreItemKind kind : kStorageKinds) {
    const auto it = sums.find(kind);
    if (it == sums.end()) continue;
    const Sum& sum = it->second;
    total += sum.bytes;
    std::vector<TextCell> row = {{std::string(to_string(kind))},
                                 {std::to_string(sum.count)},
                                 {human_bytes(sum.bytes)},
                                 {human_bytes(sum.in_use_bytes)},
                                 {age_text(now - sum.last_used)}};
    for (const std::uint64_t bytes : sum.by_age) row.push_back({bytes ? human_bytes(bytes) : "-"});
    table.add(std::move(row));
  }
  print_table(table);
  print_text(fmt::format("\nTotal: {}\n", human_bytes(total)));
}

struct UsageWords {
  bool json = false;
  bool verbose = false;
};

int run_du(const UsageWords& words) {
  OpenStore open;
  const UnixSeconds now = now_unix_seconds();
  std::vector<StoreItem> items = disk_usage(open.store, open.snapshots, open.mounts);
  std::stable_sort(items.begin(), items.end(),
                   [](const StoreItem& a, const StoreItem& b) { return a.bytes > b.bytes; });
  Sums sums;
  for (const StoreItem& item : items) sums[item.kind].add(item, now);
  if (words.json) {
    print_json(sums_json(sums, items));
    return 0;
  }
  std::vector<StoreItem> shown;
  for (const StoreItem& item : items) {
    if (words.verbose || item.kind == StoreItemKind::cache_mount) shown.push_back(item);
  }
  print_sums(sums, now);
  if (!shown.empty()) print_text("\n");
  if (!shown.empty()) print_items(shown, now);
  return 0;
}

// cache prune

struct CachePruneWords {
  std::vector<std::string> caches;
  std::string keep_storage;
  std::string reserved_space;
  std::string max_used_space;
  std::string min_free_space;
  std::vector<std::string> filters;
  bool all = false;
  bool force = false;
  bool dry_run = false;
  bool json = false;
};

void apply_filter(PruneOptions& options, const std::string& filter) {
  const std::size_t equals = filter.find('=');
  const std::string key = filter.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : filter.substr(equals + 1);
  if (key == "until") {
    const auto duration = dockerfile::parse_duration(value);
    if (!duration || *duration < 0)
      throw Error(Category::usage,
                  fmt::format("--filter until '{}' is no duration such as 48h or 90m", printable(value)));
    options.unused_seconds = *duration / 1'000'000'000;
    return;
  }
  if (key == "type") {
    for (const StoreItemKind kind : {StoreItemKind::step, StoreItemKind::file_index, StoreItemKind::base,
                                     StoreItemKind::snapshot, StoreItemKind::cache_mount, StoreItemKind::package}) {
      if (value == to_string(kind) || (value == "exec.cachemount" && kind == StoreItemKind::cache_mount)) {
        options.kinds.insert(kind);
        return;
      }
    }
    throw Error(Category::usage,
                fmt::format("--filter type '{}' is none of step, index, base, snapshot, cachemount and package",
                            printable(value)));
  }
  throw Error(Category::usage,
              fmt::format("--filter '{}' is not known; there are until=DURATION and type=KIND", printable(filter)));
}

PruneOptions make_options(const CachePruneWords& words) {
  PruneOptions options;
  if (!words.keep_storage.empty() && !words.reserved_space.empty()) {
    throw Error(Category::usage, "--keep-storage is the old name of --reserved-space; give one of them");
  }
  if (!words.keep_storage.empty()) options.reserved_bytes = parse_size(words.keep_storage, "--keep-storage");
  if (!words.reserved_space.empty()) options.reserved_bytes = parse_size(words.reserved_space, "--reserved-space");
  if (!words.max_used_space.empty()) options.max_used_bytes = parse_size(words.max_used_space, "--max-used-space");
  if (!words.min_free_space.empty()) options.min_free_bytes = parse_size(words.min_free_space, "--min-free-space");
  for (const std::string& filter : words.filters) apply_filter(options, filter);
  options.all = words.all;
  options.dry_run = words.dry_run;
  return options;
}

// What of the words there is for a shared cache. Error{usage} for the others.
SharedPruneWords shared_words(const CachePruneWords& words) {
  const auto refuse = [](std::string_view word) {
    return Error(Category::usage, fmt::format("{} is for this machine's store; --cache takes --filter until=DURATION, "
                                              "--max-used-space and --reserved-space",
                                              word));
  };
  if (words.all) throw refuse("--all");
  if (!words.min_free_space.empty()) throw refuse("--min-free-space");
  const PruneOptions options = make_options(words);
  if (!options.kinds.empty()) throw refuse("--filter type=");
  SharedPruneWords shared;
  shared.caches = words.caches;
  if (options.unused_seconds) shared.limits.unused_seconds = *options.unused_seconds;
  shared.limits.max_used_bytes = options.max_used_bytes;
  shared.limits.reserved_bytes = options.reserved_bytes;
  shared.dry_run = words.dry_run;
  shared.json = words.json;
  return shared;
}

int run_prune(const CachePruneWords& words, const CancelToken& cancel) {
  if (!words.caches.empty()) return prune_shared_caches(shared_words(words), cancel);
  const PruneOptions options = make_options(words);
  OpenStore open;
  const UnixSeconds now = now_unix_seconds();
  const PruneReport report = prune(open.store, open.snapshots, open.mounts, options, now);
  if (words.json) {
    json list = json::array();
    for (const StoreItem& item : report.removed) list.push_back(to_json(item));
    print_json(json{{"bytes", report.bytes},
                    {"used_before", report.used_before},
                    {"dry_run", options.dry_run},
                    {"removed", std::move(list)}});
    return 0;
  }
  if (!report.removed.empty()) print_items(report.removed, now);
  print_text(fmt::format("{}: {}\n", options.dry_run ? "Would be freed" : "Total", human_bytes(report.bytes)));
  return 0;
}

// cache verify

struct VerifyWords {
  bool repair = false;
  bool json = false;
};

int run_verify(const VerifyWords& words, const CancelToken& cancel) {
  OpenStore open;
  const VerifyReport report =
      verify_store(open.store, open.snapshots, open.pool, words.repair ? Repair::yes : Repair::no, cancel);
  if (words.json) {
    json problems = json::array();
    for (const StoreProblem& problem : report.problems) {
      problems.push_back({{"what", problem.what},
                          {"problem", problem.problem},
                          {"remedy", problem.remedy},
                          {"repaired", problem.repaired}});
    }
    print_json(json{{"blobs", report.blobs},
                    {"layers", report.layers},
                    {"records", report.records},
                    {"packages", report.packages},
                    {"snapshots", report.snapshots},
                    {"snapshots_unknown", report.snapshots_unknown},
                    {"bytes", report.bytes},
                    {"problems", std::move(problems)}});
  } else {
    for (const StoreProblem& problem : report.problems) {
      print_text(fmt::format("{}: {}\n  {}{}\n", problem.what, problem.problem,
                             problem.repaired ? "repaired: " : "'kiln cache verify --repair': ", problem.remedy));
    }
    print_text(fmt::format("{} blobs, {} layers, {} records, {} packages and {} snapshots were verified, {} read",
                           report.blobs, report.layers, report.records, report.packages, report.snapshots,
                           human_bytes(report.bytes)));
    if (report.snapshots_unknown)
      print_text(fmt::format("; {} snapshots have no file index to be held against", report.snapshots_unknown));
    print_text("\n");
  }
  if (report.is_sound()) return 0;
  const auto left = std::count_if(report.problems.begin(), report.problems.end(),
                                  [](const StoreProblem& problem) { return !problem.repaired; });
  throw Error(Category::machine,
              fmt::format("{} of {} problems of the store '{}' are not repaired{}", left, report.problems.size(),
                          open.store.home().root().native(), words.repair ? "" : "; run 'kiln cache verify --repair'"));
}

}  // namespace

void add_cache_command(Arguments& root) {
  Arguments& cache = root.command("cache", "What this machine keeps: how much it is, and whether it is whole.");
  const auto usage = std::make_shared<UsageWords>();
  cache.command("du", "Show what takes how much space, by kind and age.")
      .flag("--verbose", usage->verbose, "list everything, not only cache mounts")
      .flag("--json", usage->json, "as JSON, with everything")
      .handler([usage](const CancelToken&) { return run_du(*usage); });
  const auto pruning = std::make_shared<CachePruneWords>();
  cache.command("prune", "Remove what was used longest ago and is not in use, of the store or of a shared cache.")
      .option("--cache", pruning->caches,
              "a shared cache in place of the store: type=local,src=..., type=http,url=... or type=registry,ref=...")
      .option("--reserved-space", pruning->reserved_space, "always keep this much, such as 10GB")
      .option("--keep-storage", pruning->keep_storage, "the old name of --reserved-space")
      .option("--max-used-space", pruning->max_used_space, "go on until no more than this is used")
      .option("--min-free-space", pruning->min_free_space, "go on until the disk has this much free")
      .option("--filter", pruning->filters, "until=48h: only what was not used for so long; type=KIND: only this kind")
      .flag("-a,--all", pruning->all, "also bases, packages and records of the steps of named images")
      .flag("-f,--force", pruning->force, "accepted for buildx: kiln does not ask")
      .flag("--dry-run", pruning->dry_run, "only say what would be removed")
      .flag("--json", pruning->json, "as JSON")
      .handler([pruning](const CancelToken& cancel) { return run_prune(*pruning, cancel); });
  const auto verifying = std::make_shared<VerifyWords>();
  cache.command("verify", "Read all of the store and name what is damaged.")
      .flag("--repair", verifying->repair, "take damaged things away, so that they are made or fetched again")
      .flag("--json", verifying->json, "as JSON")
      .handler([verifying](const CancelToken& cancel) { return run_verify(*verifying, cancel); });
}

}  // namespace kiln::cli
