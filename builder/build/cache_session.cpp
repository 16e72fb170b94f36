#include "builder/build/cache_session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/file_kind.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cache/entry_bundle.hpp"
#include "builder/cache/layer_entry.hpp"

namespace kiln {

namespace {

constexpr std::string_view kPem = "-----BEGIN";
constexpr std::uint64_t kMaxKeyBytes = 64 << 10;

std::pair<std::string, std::string> key_text(const std::string& key, std::string_view what) {
  if (trim(key).starts_with(kPem)) return {key, fmt::format("the {} of the cache", what)};
  // What is no file may be a key without its lines of PEM, and is not shown.
  if (!is_regular_file(key))
    throw Error(Category::usage,
                fmt::format("the {} of the cache is neither a key in PEM nor the path of a file", what));
  return {read_named_file(key, kMaxKeyBytes), fmt::format("'{}'", key)};
}

EntrySignatures read_keys(const CacheSettings& settings) {
  EntrySignatures signatures;
  if (!settings.sign_key.empty()) {
    const auto [pem, where] = key_text(settings.sign_key, "signing key");
    signatures.sign_with(pem, where);
  }
  for (const std::string& key : settings.trust) {
    const auto [pem, where] = key_text(key, "trusted key");
    signatures.trust(pem, where);
  }
  return signatures;
}

// One place for both directions, in the order in which places are asked: folders, http, registries.
struct WantedPlace {
  CacheReference reference;
  bool reads = false;
  bool writes = false;
};

std::vector<WantedPlace> wanted_places(const CacheSettings& settings) {
  std::vector<WantedPlace> places;
  const auto place_of = [&](const CacheReference& reference) -> WantedPlace& {
    for (WantedPlace& place : places) {
      if (place.reference.type == reference.type && place.reference.place == reference.place) return place;
    }
    return places.emplace_back(WantedPlace{reference});
  };
  for (const CacheReference& reference : settings.from) place_of(reference).reads = true;
  for (const CacheReference& reference : settings.to) {
    WantedPlace& place = place_of(reference);
    place.reference = reference;
    place.writes = !settings.read_only && reference.mode != CacheMode::read;
  }
  std::erase_if(places, [](const WantedPlace& place) { return !place.reads && !place.writes; });
  std::stable_sort(places.begin(), places.end(),
                   [](const WantedPlace& a, const WantedPlace& b) { return a.reference.type < b.reference.type; });
  return places;
}

std::string target_bundle_key(const TargetSpec& target) {
  std::vector<std::string> parts = {target.name, target.platform().str(), target.stage};
  for (const std::string& name : target.names) {
    const oci::Reference reference = oci::Reference::parse(name);
    const std::string repository = reference.registry + "/" + reference.repository;
    if (std::find(parts.begin() + 3, parts.end(), repository) == parts.end()) parts.push_back(repository);
  }
  return bundle_key(parts);
}

}  // namespace

void add_cache_environment(CacheSettings& settings) {
  const std::string mode = environment_variable("KILN_CACHE_MODE").value_or("");
  if (mode == "read") {
    settings.read_only = true;
  } else if (!mode.empty() && mode != "write") {
    throw Error(Category::usage, fmt::format("KILN_CACHE_MODE must be 'read' or 'write', got '{}'", printable(mode)));
  }
  if (const auto key = environment_variable("KILN_CACHE_SIGN_KEY"); key && !key->empty()) settings.sign_key = *key;
  if (const auto key = environment_variable("KILN_CACHE_TRUST"); key && !key->empty()) settings.trust.push_back(*key);
}

CacheSession::CacheSession(const CacheSettings& settings, Log& log, const CancelToken& cancel) {
  std::vector<WantedPlace> wanted = wanted_places(settings);
  if (wanted.empty()) return;
  EntrySignatures signatures = read_keys(settings);
  if (signatures.is_required() && !signatures.can_sign()) {
    const bool any = std::any_of(wanted.begin(), wanted.end(), [](const WantedPlace& place) { return place.writes; });
    if (any)
      log.warn(
          "the shared cache is only read: its entries have to be signed, and there is no key to sign with "
          "(KILN_CACHE_SIGN_KEY)");
    for (WantedPlace& place : wanted) place.writes = false;
  }
  std::vector<CachePlace> places;
  for (const WantedPlace& place : wanted) {
    RemoteSettings remote = RemoteSettings::from_environment();
    remote.timeout_ms = place.reference.timeout_seconds * 1000;
    remote.retry.attempts = 2;
    remote.retry.max_wait_seconds = place.reference.timeout_seconds;
    sessions_.push_back(RemoteSession::open(std::move(remote), log, cancel));
    places.push_back({open_cache_backend(place.reference, *sessions_.back()), place.reads, place.writes,
                      place.reference.mode, place.reference.ignore_error});
  }
  cache_ = std::make_unique<SharedCache>(std::move(places), std::move(signatures), log);
}

CacheSession::~CacheSession() = default;

std::unique_ptr<StepSharing> CacheSession::open_sharing(const ContentStore& store, const CancelToken& cancel) {
  return cache_ && cache_->meeting_place().is_there() ? std::make_unique<StepSharing>(*cache_, store, cancel) : nullptr;
}

void CacheSession::expect(const Plan& plan, const std::vector<std::size_t>& wanted) {
  if (!cache_) return;
  std::vector<std::string> keys;
  for (const std::size_t number : wanted) keys.push_back(target_bundle_key(plan.targets[number]->target));
  cache_->expect_bundles(keys);
}

void CacheSession::write(const Plan& plan, const std::vector<std::size_t>& wanted, const StepExecutor& steps,
                         LayerAccess& layers, const ContentStore& store, const std::vector<CachedImage>& images) {
  if (!cache_ || !cache_->is_written()) return;
  std::set<oci::Digest> in_images;
  std::map<oci::Digest, std::vector<RemoteRepository>> elsewhere;
  for (const CachedImage& image : images) {
    for (const oci::Descriptor& blob : image.blobs) {
      in_images.insert(blob.digest);
      std::vector<RemoteRepository>& places = elsewhere[blob.digest];
      places.insert(places.end(), image.pushed_to.begin(), image.pushed_to.end());
    }
  }
  std::vector<NewCacheEntry> entries;
  for (const auto& [key, record] : steps.records()) {
    entries.push_back(new_step_entry(record, [&](const oci::Digest& layer) { return in_images.count(layer) > 0; }));
  }
  const auto foreign = layers.indexes().foreign_layers();
  for (const auto& [key, layer] : foreign) {
    entries.push_back({{key, kLayerEntryType, serialise_layer_entry(layer), {}, ""}, {*layer.index}, {}});
  }
  for (const auto& [key, layer] : layers.known_layers().made()) {
    const oci::Descriptor& blob = layer.blobs.front().descriptor;
    NewCacheEntry entry{{key, kLayerEntryType, serialise_layer_entry(layer), {}, ""}, {*layer.index}, {}};
    (in_images.count(blob.digest) ? entry.always : entry.with_max).push_back(blob);
    entries.push_back(std::move(entry));
  }
  cache_->put(std::move(entries), store, elsewhere);
  const auto keys_of_targets = steps.keys_of_targets();
  for (const std::size_t number : wanted) {
    std::vector<std::string> keys;
    for (const std::size_t part : plan.closure({number})) {
      const auto found = keys_of_targets.find(plan.targets[part]->target.name);
      if (found != keys_of_targets.end()) keys.insert(keys.end(), found->second.begin(), found->second.end());
    }
    for (const auto& [key, layer] : foreign) keys.push_back(key);
    cache_->put_bundle(target_bundle_key(plan.targets[number]->target), keys);
  }
}

std::vector<ReportFetch> CacheSession::fetched() const {
  std::vector<ReportFetch> result;
  if (!cache_) return result;
  for (const FetchedFromCache& fetch : cache_->fetched()) {
    result.push_back({fetch.place, fetch.what, fetch.step, fetch.digest.str(), fetch.bytes});
  }
  return result;
}

ReportWire CacheSession::wire() const {
  ReportWire wire;
  for (const auto& session : sessions_) {
    wire.pushed_bytes += session->stats().pushed_bytes;
    wire.pulled_bytes += session->stats().pulled_bytes;
    wire.mounted_bytes += session->stats().mounted_bytes;
  }
  return wire;
}

}  // namespace kiln
