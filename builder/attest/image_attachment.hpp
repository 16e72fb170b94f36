#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "builder/attest/attested_image.hpp"
#include "registry/remote/referrers.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Attaches what is said of one image in one repository (OCI distribution spec 1.1, referrers). Borrows all it is given.
class ImageAttachment {
 public:
  // `is_new`: the image came into the repository just now, so that nothing that is known of it holds there.
  ImageAttachment(RemoteSession& session, const ContentStore& store, const RemoteRepository& place,
                  const AttestedImage& image, bool is_new);

  // What is not known to be attached already; no registry is asked.
  const std::vector<const Attestation*>& open() const noexcept { return open_; }
  // Whether anything of it was asked for.
  bool is_asked_for() const;

  struct Outcome {
    std::size_t attached = 0;  // the others of open() hung there already
    std::string refusal;       // see AttachedReferrer
  };
  // Attaches those of open() that the registry does not list, and notes in the store that all hang there. Error as
  // attach_referrer() has it, with the image's name.
  Outcome attach();

 private:
  const oci::Digest& digest() const { return image_.manifest.digest; }
  Outcome attach_open();
  bool is_attached(const Referrer& referrer, const std::string& key);

  const ContentStore& store_;
  const RemoteRepository& place_;
  const AttestedImage& image_;
  RegistryClient client_;
  std::string name_;
  std::vector<const Attestation*> open_;
};

// What to tell of a registry whose refusal it was.
std::string refused_attestation_note(const RemoteRepository& place, const oci::Digest& image,
                                     const std::string& refusal);

}  // namespace kiln
