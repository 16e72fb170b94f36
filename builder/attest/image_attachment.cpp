#include "builder/attest/image_attachment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "builder/attest/attestation_manifest.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/attached.hpp"

namespace kiln {

namespace {

Artifact artifact_of(const Attestation& attestation) {
  const Statement statement = attestation.make();
  Artifact artifact;
  artifact.artifact_type = oci::media_type::kInToto;
  artifact.layers.push_back(
      {oci::media_type::kInToto, statement.text, {{kPredicateTypeAnnotation, statement.predicate_type}}});
  artifact.annotations = {{kPredicateTypeAnnotation, statement.predicate_type},
                          {kAttestationKeyAnnotation, attestation.key}};
  return artifact;
}

}  // namespace

ImageAttachment::ImageAttachment(RemoteSession& session, const ContentStore& store, const RemoteRepository& place,
                                 const AttestedImage& image, bool is_new)
    : store_(store), place_(place), image_(image), client_(session.client(place.endpoint)), name_(place.name()) {
  for (const Attestation& attestation : image.attestations) {
    const bool is_known = !is_new && was_attached(store, digest(), attestation.key, name_);
    if (!is_known) open_.push_back(&attestation);
  }
}

bool ImageAttachment::is_asked_for() const {
  return std::any_of(open_.begin(), open_.end(), [](const Attestation* one) { return one->is_asked_for; });
}

ImageAttachment::Outcome ImageAttachment::attach() {
  Outcome outcome;
  with_context([&] { return fmt::format("while attaching what is said of '{}@{}'", name_, digest().str()); },
               [&] { outcome = attach_open(); });
  return outcome;
}

// A list may name what is not there, or is attached to another image.
bool ImageAttachment::is_attached(const Referrer& referrer, const std::string& key) {
  const auto fetched = client_.find_manifest(place_.repository, referrer.descriptor.digest.str());
  if (!fetched || !oci::media_type::is_manifest(fetched->descriptor.media_type)) return false;
  const oci::Manifest manifest = oci::parse_manifest(
      fetched->bytes, fmt::format("manifest '{}@{}'", name_, referrer.descriptor.digest.short_hex()));
  const auto told = manifest.annotations.find(kAttestationKeyAnnotation);
  // A registry that takes no subject has the artifact without one.
  return told != manifest.annotations.end() && told->second == key &&
         (!manifest.subject || manifest.subject->digest == digest());
}

ImageAttachment::Outcome ImageAttachment::attach_open() {
  std::set<std::string> there;
  for (const Referrer& referrer : list_referrers(client_, place_.repository, digest(), oci::media_type::kInToto)) {
    const auto key = referrer.annotations.find(kAttestationKeyAnnotation);
    const bool is_open =
        key != referrer.annotations.end() &&
        std::any_of(open_.begin(), open_.end(), [&](const Attestation* one) { return one->key == key->second; });
    if (is_open && is_attached(referrer, key->second)) there.insert(key->second);
  }
  Outcome outcome;
  for (const Attestation* attestation : open_) {
    if (!there.count(attestation->key)) {
      const AttachedReferrer attached =
          attach_referrer(client_, place_.repository, image_.manifest, artifact_of(*attestation));
      ++outcome.attached;
      if (!attached.refusal.empty()) outcome.refusal = attached.refusal;
    }
    note_attached(store_, digest(), attestation->key, name_);
  }
  return outcome;
}

std::string refused_attestation_note(const RemoteRepository& place, const oci::Digest& image,
                                     const std::string& refusal) {
  return fmt::format(
      "registry '{}' takes no artifact with a subject, so the tag 'sha256-{}' alone tells what is said "
      "of the image: {}",
      place.endpoint.authority, std::string(image.hex()), refusal);
}

}  // namespace kiln
