#include "builder/cache/cache_prune.hpp"

#include <doctest/doctest.h>

#include <map>

#include "builder/cache/entry_bundle.hpp"

using namespace kiln;

namespace {

constexpr UnixSeconds kNow = 1'800'000'000;
constexpr std::int64_t kOneDay = 24 * 3600;

oci::Descriptor blob_of_size(const std::string& seed, std::uint64_t bytes) {
  return {"application/vnd.oci.image.layer.v1.tar+zstd", oci::sha256_of(seed), bytes, {}, {}, {}};
}

std::string hex_of(const std::string& seed) { return std::string(oci::sha256_of(seed).hex()); }

HeldEntry entry_of(const std::string& seed, std::int64_t days, std::vector<oci::Descriptor> blobs) {
  return {hex_of(seed), kStepEntryType, kNow - days * kOneDay, 10, std::move(blobs), {}};
}

// Three steps, 40, 20 and 2 days old, which share blob "base"; a bundle of the last builds that names the middle one;
// and a blob that nothing names.
CacheHoldings holdings_of_three() {
  CacheHoldings held;
  held.entries = {entry_of("old", 40, {blob_of_size("base", 1000), blob_of_size("a", 500)}),
                  entry_of("used", 20, {blob_of_size("base", 1000), blob_of_size("b", 700)}),
                  entry_of("new", 2, {blob_of_size("c", 900)})};
  HeldEntry bundle{hex_of("bundle"), kBundleEntryType, kNow - kOneDay, 10, {}, {hex_of("used")}};
  held.entries.push_back(bundle);
  held.blobs.emplace();
  for (const auto& [seed, bytes] :
       std::map<std::string, std::uint64_t>{{"base", 1000}, {"a", 500}, {"b", 700}, {"c", 900}})
    held.blobs->push_back({hex_of(seed), bytes, kNow - 30 * kOneDay});
  held.blobs->push_back({hex_of("orphan"), 5000, kNow - 2 * kOneDay});
  held.blobs->push_back({hex_of("upload"), 300, kNow - 3600});
  return held;
}

std::vector<std::string> keys_of(const CacheHoldings& held, const CachePrunePlan& plan) {
  std::vector<std::string> keys;
  for (const std::size_t number : plan.entries) keys.push_back(held.entries[number].key);
  return keys;
}

std::set<std::string> blobs_of(const CacheHoldings& held, const CachePrunePlan& plan) {
  std::set<std::string> names;
  for (const std::size_t number : plan.blobs) names.insert((*held.blobs)[number].name);
  return names;
}

}  // namespace

TEST_CASE("what nobody used for long goes with the blobs that it alone names, and so do blobs without an entry") {
  const CacheHoldings held = holdings_of_three();
  const CachePrunePlan plan = plan_cache_prune(held, {}, kNow);
  CHECK(keys_of(held, plan) == std::vector<std::string>{hex_of("old")});
  CHECK(blobs_of(held, plan) == std::set<std::string>{hex_of("a"), hex_of("orphan")});
  CHECK(plan.used_before == 4 * 10 + 1000 + 500 + 700 + 900 + 5000 + 300);
  CHECK(plan.freed_bytes == 10 + 500 + 5000);
  CHECK(plan.used_entries == 1);
}

TEST_CASE("a size takes more, the longest unused first, and never what the last builds used") {
  const CacheHoldings held = holdings_of_three();
  CachePruneLimits limits;
  limits.max_used_bytes = 2500;
  CachePrunePlan plan = plan_cache_prune(held, limits, kNow);
  CHECK(keys_of(held, plan) == std::vector<std::string>{hex_of("old"), hex_of("new")});
  limits.max_used_bytes = 0;
  plan = plan_cache_prune(held, limits, kNow);
  CHECK(keys_of(held, plan) == std::vector<std::string>{hex_of("old"), hex_of("new")});
  CHECK_FALSE(blobs_of(held, plan).contains(hex_of("base")));
  CHECK_FALSE(blobs_of(held, plan).contains(hex_of("upload")));
  limits.reserved_bytes = 1'000'000;
  CHECK(plan_cache_prune(held, limits, kNow).entries.empty());
}

TEST_CASE("a bundle that was not renewed for as long protects nothing and goes itself") {
  CacheHoldings held = holdings_of_three();
  held.entries[3].last_used = kNow - 15 * kOneDay;
  const CachePrunePlan plan = plan_cache_prune(held, {}, kNow);
  CHECK(keys_of(held, plan) == std::vector<std::string>{hex_of("old"), hex_of("used"), hex_of("bundle")});
}

TEST_CASE("claims and what is no entry go after a day, what has no age stays") {
  CacheHoldings held;
  held.entries = {{hex_of("claim"), kClaimEntryType, kNow - 2 * kOneDay, 10, {}, {}},
                  {hex_of("young claim"), kClaimEntryType, kNow - 60, 10, {}, {}},
                  {hex_of("damaged"), "", kNow - 2 * kOneDay, 10, {}, {}},
                  {hex_of("no age"), kStepEntryType, std::nullopt, 10, {blob_of_size("x", 100)}, {}}};
  CachePruneLimits limits;
  CHECK(keys_of(held, plan_cache_prune(held, limits, kNow)) ==
        std::vector<std::string>{hex_of("claim"), hex_of("damaged")});
  limits.max_used_bytes = 0;
  CHECK(keys_of(held, plan_cache_prune(held, limits, kNow)).size() == 2);  // the young claim may be at work
  // A registry counts the blobs that entries name.
  CHECK(plan_cache_prune(held, limits, kNow).used_before == 4 * 10 + 100);
}

TEST_CASE("a bundle is held with what its entries name; one that is none hits nothing") {
  CacheEntry step{hex_of("step"), kStepEntryType, "{}", {blob_of_size("layer", 5)}, ""};
  const CacheEntry bundle{hex_of("bundle"), kBundleEntryType, serialise_bundle({step}), {}, ""};
  const HeldEntry held = held_entry(bundle, 20, kNow);
  CHECK(held.bundled == std::set<std::string>{step.key});
  REQUIRE(held.blobs.size() == 1);
  CHECK(held.blobs[0].digest == oci::sha256_of("layer"));
  CHECK(held_entry({hex_of("bundle"), kBundleEntryType, "damaged", {}, ""}, 20, kNow).media_type.empty());
}
