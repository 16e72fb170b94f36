#include "builder/cli/commands/shared_prune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "builder/cache/http_backend.hpp"
#include "builder/cache/local_backend.hpp"
#include "builder/cli/output/print_json.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/github_access.hpp"
#include "builder/retention/cache_repository.hpp"

namespace kiln::cli {

namespace {

// What a prune of one cache came to.
struct Pruned {
  std::string cache;
  CachePrunePlan plan;
  std::size_t left = 0;  // entries and blobs that were used or replaced meanwhile
};

std::unique_ptr<PrunableCache> open_cache(const CacheReference& reference, RemoteSession& session) {
  switch (reference.type) {
    case CacheType::local:
      return std::make_unique<LocalBackend>(reference.place);
    case CacheType::http:
      return std::make_unique<HttpBackend>(reference.place, session);
    case CacheType::registry:
      break;
  }
  const oci::Reference place = oci::Reference::parse(reference.place);
  return std::make_unique<CacheRepository>(reference.place, session,
                                           github_packages_of(session, place.registry, place.repository));
}

// Entries go before the blobs that they name.
Pruned prune_cache(PrunableCache& cache, const SharedPruneWords& words) {
  const CacheHoldings held = cache.holdings();
  Pruned pruned{cache.name(), plan_cache_prune(held, words.limits, now_unix_seconds()), 0};
  if (words.dry_run) return pruned;
  for (const std::size_t number : pruned.plan.entries) {
    if (!cache.remove(held.entries[number])) ++pruned.left;
  }
  for (const std::size_t number : pruned.plan.blobs) {
    if (!cache.remove((*held.blobs)[number])) ++pruned.left;
  }
  return pruned;
}

nlohmann::json to_json(const Pruned& pruned) {
  return {{"cache", pruned.cache},
          {"used_before", pruned.plan.used_before},
          {"bytes", pruned.plan.freed_bytes},
          {"entries", pruned.plan.entries.size()},
          {"blobs", pruned.plan.blobs.size()},
          {"left", pruned.left},
          {"used_entries", pruned.plan.used_entries}};
}

void print(const Pruned& pruned, const SharedPruneWords& words) {
  const CachePrunePlan& plan = pruned.plan;
  print_text(fmt::format("{}: {} {} of {}: {} entries and {} blobs; the last builds use {} entries\n",
                         printable(pruned.cache), words.dry_run ? "would free" : "freed", human_bytes(plan.freed_bytes),
                         human_bytes(plan.used_before), plan.entries.size(), plan.blobs.size(), plan.used_entries));
  if (pruned.left > 0) print_text(fmt::format("{} of them were used or replaced meanwhile and stay\n", pruned.left));
  const std::uint64_t left = plan.used_before - plan.freed_bytes;
  if (words.limits.max_used_bytes && left > *words.limits.max_used_bytes)
    print_text(fmt::format("{} stay: builds use them, or they have no age\n", human_bytes(left)));
}

}  // namespace

int prune_shared_caches(const SharedPruneWords& words, const CancelToken& cancel) {
  std::vector<CacheReference> references;
  for (const std::string& word : words.caches)
    references.push_back(parse_cache_reference(word, CacheDirection::to, fs::current_path()));
  StderrLog log;
  const auto session = RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
  nlohmann::json documents = nlohmann::json::array();
  for (const CacheReference& reference : references) {
    const std::unique_ptr<PrunableCache> cache = open_cache(reference, *session);
    const Pruned pruned = prune_cache(*cache, words);
    documents.push_back(to_json(pruned));
    if (!words.json) print(pruned, words);
  }
  if (words.json) print_json(nlohmann::json{{"dry_run", words.dry_run}, {"caches", documents}});
  return 0;
}

}  // namespace kiln::cli
