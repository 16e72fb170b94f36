#include "registry/remote/pull.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <set>

#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/store/seen_places.hpp"

namespace kiln {

namespace {

using oci::Descriptor;

// Reports one transfer from its start to its end, whichever way that comes.
class ReportedTransfer {
 public:
  ReportedTransfer(TransferObserver* observer, std::string_view repository, const Descriptor& blob)
      : observer_(observer), transfer_{TransferDirection::pull, repository, blob} {
    if (observer_) observer_->transfer_started(transfer_);
  }
  ~ReportedTransfer() {
    if (observer_) observer_->transfer_ended(transfer_, outcome_);
  }
  void advanced(std::uint64_t bytes) {
    if (observer_) observer_->transfer_advanced(transfer_, bytes);
  }
  void ended(TransferOutcome outcome) { outcome_ = outcome; }

 private:
  TransferObserver* observer_;
  Transfer transfer_;
  TransferOutcome outcome_ = TransferOutcome::failed;
};

// For this session's pulls and pushes, and for pushes of later ones.
void note_place(RemoteSession& session, const ContentStore& store, const oci::Digest& blob,
                const RemoteRepository& place) {
  session.locations().add(blob, place);
  note_seen_place(store, blob, place.endpoint.authority, place.repository, Seen::there);
}

// The bytes of a manifest, index or config that is named by digest: from the store, else from the registry.
std::string document_bytes(RegistryClient& client, ContentStore& store, const std::string& repository,
                           const Descriptor& wanted) {
  const bool is_manifest =
      oci::media_type::is_manifest(wanted.media_type) || oci::media_type::is_index(wanted.media_type);
  // The store knows blobs by their sha256 alone.
  if (wanted.digest.algorithm() == "sha256") {
    store.lease(wanted.digest);
    if (store.has(wanted.digest)) {
      std::string bytes = store.read(wanted.digest);
      if (bytes.size() == wanted.size) return bytes;
      throw Error(Category::network, fmt::format("'{}': it has {} bytes, the document that names it says {}",
                                                 wanted.digest.str(), bytes.size(), wanted.size));
    }
  }
  std::string bytes = is_manifest ? client.fetch_manifest(repository, wanted.digest.str(), wanted).bytes
                                  : client.fetch_blob_bytes(repository, wanted);
  store.put(bytes, wanted.media_type);
  return bytes;
}

Descriptor resolve_root(RegistryClient& client, ContentStore& store, const std::string& repository,
                        const oci::Reference& reference, std::string& bytes) {
  if (reference.digest && reference.digest->algorithm() == "sha256") {
    store.lease(*reference.digest);
    if (store.has(*reference.digest)) {
      bytes = store.read(*reference.digest);
      return {oci::detect_media_type(bytes, "manifest '" + reference.str() + "'"),
              *reference.digest,
              bytes.size(),
              {},
              {},
              {}};
    }
  }
  FetchedManifest fetched = client.fetch_manifest(repository, reference.manifest_key());
  store.put(fetched.bytes, fetched.descriptor.media_type);
  bytes = std::move(fetched.bytes);
  return fetched.descriptor;
}

PulledImage pull_from(RemoteSession& session, ContentStore& store, const PullPlace& place,
                      const oci::Reference& reference, const oci::Platform& platform, OtherPlatform other) {
  RegistryClient client = session.client(place.endpoint);
  PulledImage image;
  image.source = {place.endpoint, place.repository};
  std::string bytes;
  image.root = resolve_root(client, store, place.repository, reference, bytes);
  image.reference = reference;
  image.reference.digest = image.root.digest;
  image.manifest = image.root;
  const std::string where = fmt::format("image '{}'", reference.str());
  if (oci::media_type::is_index(image.root.media_type)) {
    const oci::Index index = oci::parse_index(bytes, where);
    auto chosen = oci::choose_image(
        index, platform,
        [&](const Descriptor& document) { return document_bytes(client, store, place.repository, document); }, where);
    if (!chosen) {
      throw Error(Category::network,
                  fmt::format("{} has no platform '{}'; it has: {}", where, platform.str(), oci::platforms_of(index)));
    }
    image.index_bytes = std::move(bytes);
    image.manifest = std::move(chosen->descriptor);
    bytes = std::move(chosen->bytes);
  } else if (!oci::media_type::is_manifest(image.root.media_type)) {
    throw Error(Category::network, fmt::format("{}: '{}' is no image", where, printable(image.root.media_type)));
  }
  image.parsed = oci::parse_manifest(bytes, where);
  const Descriptor& config = image.parsed.config;
  const std::string config_text = document_bytes(client, store, place.repository, config);
  image.config = oci::parse_image_config(config_text, where);
  if (image.config.diff_ids.size() != image.parsed.layers.size()) {
    throw Error(Category::network, fmt::format("{}: its manifest has {} layers, its config {}", where,
                                               image.parsed.layers.size(), image.config.diff_ids.size()));
  }
  for (const Descriptor& layer : image.parsed.layers) {
    const auto known = store.size_of(layer.digest);  // of bytes with that digest
    if (known && *known != layer.size) {
      throw Error(Category::network, fmt::format("{}: layer '{}' has {} bytes, the manifest says {}", where,
                                                 layer.digest.str(), *known, layer.size));
    }
  }
  const oci::Platform& has = image.config.platform;
  if (other == OtherPlatform::refuse && !image.index_bytes && !has.architecture.empty() &&
      (has.os != platform.os || has.architecture != platform.architecture) && !platform.distance_to(has)) {
    throw Error(Category::network,
                fmt::format("{} has no platform '{}'; it has: {}", where, platform.str(), has.shown()));
  }
  note_place(session, store, config.digest, image.source);
  for (const Descriptor& layer : image.parsed.layers) note_place(session, store, layer.digest, image.source);
  return image;
}

// Asks one place after the other; what one lacks or fails at is asked of the next.
template <class Ask>
auto from_first_place(RemoteSession& session, const oci::Reference& reference, Ask ask) {
  const std::vector<PullPlace> places = session.registries().pull_places(reference);
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {
    try {
      if (auto found = ask(places[i])) return found;
      session.log().info(fmt::format("mirror '{}' does not have '{}'", places[i].endpoint.authority, reference.str()));
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
      session.log().warn(fmt::format("mirror '{}': {}", places[i].endpoint.authority, error.message()));
    }
  }
  return ask(places.back());
}

// A mirror may have an image's manifest and lack its layers: they are asked of the other places then.
void note_other_places(RemoteSession& session, const oci::Reference& reference, const RemoteRepository& source) {
  std::vector<RemoteRepository> others;
  for (const PullPlace& place : session.registries().pull_places(reference)) {
    const RemoteRepository other{place.endpoint, place.repository};
    if (other != source) others.push_back(other);
  }
  session.locations().note_others(source, std::move(others));
}

}  // namespace

PulledImage pull_image(RemoteSession& session, ContentStore& store, const oci::Reference& reference,
                       const oci::Platform& platform, PullWhat what, TransferObserver* observer, OtherPlatform other) {
  return with_context([&] { return fmt::format("while pulling '{}'", reference.str()); },
                      [&] {
                        PulledImage image = *from_first_place(session, reference, [&](const PullPlace& place) {
                          return std::optional(pull_from(session, store, place, reference, platform, other));
                        });
                        note_other_places(session, reference, image.source);
                        if (what == PullWhat::layers) fetch_layers(session, store, image, observer);
                        return image;
                      });
}

std::optional<Descriptor> resolve_image(RemoteSession& session, const oci::Reference& reference) {
  return from_first_place(session, reference, [&](const PullPlace& place) {
    return session.client(place.endpoint).resolve(place.repository, reference.manifest_key());
  });
}

void fetch_blob(RemoteSession& session, ContentStore& store, const Descriptor& blob,
                const std::optional<RemoteRepository>& hint, TransferObserver* observer, WriteBehind::Pages pages) {
  std::vector<RemoteRepository> places = session.locations().find(blob.digest);
  if (hint) {
    std::erase(places, *hint);
    places.insert(places.begin(), *hint);
  }
  places = session.locations().with_others(places);
  const auto lock_of_blob = session.download_lock(blob.digest);
  const std::lock_guard lock(*lock_of_blob);
  const std::string shown = places.empty() ? "" : places.front().name();
  ReportedTransfer transfer(observer, shown, blob);
  store.lease(blob.digest);
  if (store.has(blob.digest)) return transfer.ended(TransferOutcome::skipped);
  if (places.empty()) {
    throw Error(Category::network,
                fmt::format("blob '{}' is not in the store, and no registry is known to have it; pull its "
                            "image again",
                            blob.digest.str()));
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    try {
      session.client(places[i].endpoint)
          .download_blob(
              places[i].repository, blob, store, Durability::durable,
              [&](std::uint64_t done) { transfer.advanced(done); }, pages);
      note_place(session, store, blob.digest, places[i]);
      return transfer.ended(TransferOutcome::transferred);
    } catch (const Error& error) {
      if (error.category() != Category::network || i + 1 == places.size()) throw;
      session.log().warn(
          fmt::format("blob '{}': {}; asking '{}'", blob.digest.str(), error.message(), places[i + 1].name()));
    }
  }
}

void fetch_layers(RemoteSession& session, ContentStore& store, const PulledImage& image, TransferObserver* observer) {
  std::vector<Descriptor> layers;
  std::set<oci::Digest> seen;
  for (const Descriptor& layer : image.parsed.layers) {
    if (seen.insert(layer.digest).second) layers.push_back(layer);
  }
  ThreadPool pool(std::clamp<std::size_t>(layers.size(), 1, session.settings().parallel_requests));
  std::vector<std::future<void>> jobs;
  for (const Descriptor& layer : layers) {
    jobs.push_back(pool.submit([&session, &store, &image, layer, observer] {
      fetch_blob(session, store, layer, image.source, observer, WriteBehind::Pages::recycle);
    }));
  }
  std::exception_ptr first;
  for (auto& job : jobs) {
    try {
      job.get();
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace kiln
