#include "builder/cli/images/kept_provenance.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/attest/attestation_manifest.hpp"
#include "builder/attest/image_attachment.hpp"
#include "builder/attest/provenance_attestation.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln::cli {

namespace {

std::vector<oci::Descriptor> unattested_images(const ContentStore& store, const oci::Descriptor& root) {
  if (!oci::media_type::is_index(root.media_type)) return {root};
  const oci::Index index = oci::parse_index(store.read(root.digest), root.digest.str());
  std::vector<oci::Descriptor> images;
  for (const oci::Descriptor& entry : index.manifests) {
    if (!entry.annotations.contains(kAttestedDigestAnnotation)) images.push_back(entry);
  }
  std::erase_if(images, [&](const oci::Descriptor& image) {
    return std::any_of(index.manifests.begin(), index.manifests.end(), [&](const oci::Descriptor& other) {
      const auto attested = other.annotations.find(kAttestedDigestAnnotation);
      return attested != other.annotations.end() && attested->second == image.digest.str();
    });
  });
  return images;
}

oci::Platform platform_of(const ContentStore& store, const oci::Descriptor& image) {
  const oci::Manifest manifest = oci::parse_manifest(store.read(image.digest), image.digest.str());
  return oci::parse_image_config(store.read(manifest.config.digest), image.digest.str()).platform;
}

// The repositories that the request names, in its order, as a build that pushes calls them.
std::vector<oci::Reference> repositories_of_push(const PushRequest& request) {
  std::vector<oci::Reference> repositories;
  for (const oci::Reference& target : request.targets) {
    const auto is_it = [&](const oci::Reference& other) { return other.name() == target.name(); };
    if (std::none_of(repositories.begin(), repositories.end(), is_it)) repositories.push_back(target);
  }
  return repositories;
}

bool is_new_in(const PushOutcome& outcome, const oci::Reference& repository) {
  return std::any_of(outcome.targets.begin(), outcome.targets.end(), [&](const PushedTarget& pushed) {
    return pushed.target.name() == repository.name() && pushed.outcome != TransferOutcome::skipped;
  });
}

}  // namespace

std::vector<std::string> attach_kept_provenance(RegistrySession& session, const PushRequest& request,
                                                const PushOutcome& outcome, Log& log) {
  std::vector<std::string> attached;
  if (outcome.error) return attached;
  const ContentStore& store = session.store();
  const std::vector<oci::Reference> repositories = repositories_of_push(request);
  for (const oci::Descriptor& image : unattested_images(store, request.root)) {
    const auto kept = provenance_of_image(store, image.digest);
    if (!kept) continue;
    std::vector<std::string> names;
    const oci::Platform platform = platform_of(store, image);
    for (const oci::Reference& repository : repositories) names.push_back(subject_name(repository.name(), platform));
    const oci::Descriptor subject{image.media_type, image.digest, image.size, {}, {}, {}};
    const AttestedImage attested{
        subject, {provenance_attestation(names, image.digest, kept->key, [&] { return kept->predicate; })}};
    for (const oci::Reference& repository : repositories) {
      const RemoteRepository place = session.remote().repository_of(repository);
      ImageAttachment attachment(session.remote(), store, place, attested, is_new_in(outcome, repository));
      if (attachment.open().empty()) continue;
      try {
        const ImageAttachment::Outcome done = attachment.attach();
        if (!done.refusal.empty()) log.warn(refused_attestation_note(place, image.digest, done.refusal));
        if (done.attached > 0) attached.push_back(fmt::format("{}@{}", place.name(), image.digest.str()));
      } catch (const Error& error) {
        if (error.category() == Category::cancelled) throw;
        log.warn(fmt::format("the image was pushed without its provenance: {}", error.message()));
      }
    }
  }
  return attached;
}

}  // namespace kiln::cli
