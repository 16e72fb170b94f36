#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/attest/attested_image.hpp"
#include "builder/attest/provenance.hpp"
#include "builder/build/delivery.hpp"
#include "builder/build/provenance_facts.hpp"
#include "builder/build/workshop.hpp"
#include "builder/packages/image_packages.hpp"

namespace kiln {

// Makes what targets wish to be said of their images, and what is said of a pushed one by default: a provenance of
// mode=min where nothing is said of any, as buildx has it. Borrows all it is given.
class Attestor {
 public:
  Attestor(Workshop& shop, const Plan& plan, const BuildRequest& request);

  // After each time that the plan was solved, before attest(): takes over what its steps came to.
  void hear_steps();

  // Puts what the target wishes beside the images of a delivery: into `root`, an index then, or into `attested`, for
  // after the push. `numbers` are those of the images' targets in the plan. How an image was made that gets a name is
  // kept in the store too, for who pushes it later. Error{usage} for a form that the output has not.
  void attest(Delivery& delivery, const std::vector<std::size_t>& numbers, const Workshop::Stages& stages) const;

  // Where what a target wishes goes by this output; nullopt: nowhere.
  static std::optional<AttachedAs> form_of(const Output& output, AttachedAs wanted);
  AttachedAs wanted_form() const noexcept { return form_; }
  // Whether by this output the target's images stand in an index with what is said of them.
  bool is_in_index(const TargetSpec& target, const Output& output) const;

 private:
  // What is to be said of an image, and where.
  struct Saying {
    AttestationWishes wishes;
    bool is_default = false;  // the provenance
    std::optional<AttachedAs> form;
  };
  Saying saying_of(const TargetSpec& target, const Output& output) const;
  // A provenance that was decided on, and the key of it.
  struct Told {
    ProvenanceFacts facts;
    ProvenanceWish wish;
    std::string key;
  };
  // The wish for a provenance that is said, else the default.
  std::optional<ProvenanceWish> provenance_wish(const AttestationWishes& wishes) const;
  std::optional<Told> told_of(std::size_t number, const StageResult& stage) const;
  std::string predicate_of(const Told& told, std::size_t number) const;
  void keep(const std::optional<Told>& told, std::size_t number, const oci::Digest& image) const;
  std::vector<Attestation> attestations_of(const Delivery& delivery, const BuiltImage& built, const Saying& saying,
                                           const std::optional<Told>& told, std::size_t number) const;
  Statement sbom_of(const BuiltImage& built, const std::vector<std::string>& repositories, FileList files) const;
  oci::Descriptor index_entry(const oci::Digest& image, const std::vector<Attestation>& attestations) const;

  Workshop& shop_;
  const Plan& plan_;
  const BuildRequest& request_;
  AttachedAs form_;
  UnixSeconds started_;
  SecretValues secrets_;
  StepsOfTargets steps_;
};

// Why what a target wishes goes nowhere, a sentence; empty: it goes somewhere, or there is none. A provenance of an
// image that is named in the store is kept there for a push.
std::string unused_attestations(const TargetSpec& target, const std::vector<Output>& outputs, AttachedAs wanted);

}  // namespace kiln
