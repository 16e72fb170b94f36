#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/attest/attested_image.hpp"
#include "builder/build/delivery.hpp"
#include "builder/build/workshop.hpp"

namespace kiln {

// Makes what targets wish to be said of their images. Borrows all it is given.
class Attestor {
 public:
  Attestor(Workshop& shop, const Plan& plan, const BuildRequest& request);

  // Puts what the target wishes beside the images of a delivery: into `root`, an index then, or into `attested`, for
  // after the push. `numbers` are those of the images' targets in the plan. Error{usage} for a form that the output has
  // not.
  void attest(Delivery& delivery, const std::vector<std::size_t>& numbers, const Workshop::Stages& stages) const;

  // Where what a target wishes goes by this output; nullopt: nowhere.
  static std::optional<AttachedAs> form_of(const Output& output, AttachedAs wanted);
  AttachedAs wanted_form() const noexcept { return form_; }

 private:
  std::vector<Attestation> attestations_of(const Delivery& delivery, const BuiltImage& built, std::size_t number,
                                           const StageResult& stage) const;
  Statement sbom_of(const BuiltImage& built, const std::vector<std::string>& repositories) const;
  oci::Descriptor index_entry(const oci::Digest& image, const std::vector<Attestation>& attestations) const;

  Workshop& shop_;
  const Plan& plan_;
  const BuildRequest& request_;
  AttachedAs form_;
  UnixSeconds started_;
};

// Why a target's attestations go nowhere, a sentence; empty: they go somewhere, or there are none.
std::string unused_attestations(const TargetSpec& target, const std::vector<Output>& outputs, AttachedAs wanted);

}  // namespace kiln
