#pragma once

#include <optional>
#include <vector>

#include "builder/build/delivery.hpp"
#include "builder/build/workshop.hpp"
#include "builder/sign/signing_key.hpp"

namespace kiln {

// The places that a build delivers to: this machine's files, engines and store, and registries.
class WorkshopPlaces : public DeliveryPlaces {
 public:
  // `mtime`: the time of files that are written as files; nullopt: each keeps its own.
  // `sign_key`: what pushed images are signed with; nullopt: they are not.
  WorkshopPlaces(Workshop& shop, std::optional<UnixSeconds> mtime, std::optional<SigningKey> sign_key)
      : shop_(shop), mtime_(mtime), sign_key_(std::move(sign_key)) {}

  Blocked verify_layers(const Delivery& delivery) override;
  void export_images(const Delivery& delivery) override;
  std::vector<PushEnd> push(const std::vector<const Delivery*>& deliveries) override;
  void name_in_store(const std::vector<const Delivery*>& deliveries) override;

 private:
  // Hands the image to the docker of this machine, or to its podman where no docker daemon answers. Error{machine}
  // where there is neither or it refuses.
  void load_into_engine(const Delivery& delivery);
  void write_files(const Delivery& delivery);

  Workshop& shop_;
  std::optional<UnixSeconds> mtime_;
  std::optional<SigningKey> sign_key_;
};

// What is delivered as one: the image's manifest or, for several platforms, an index of theirs that is put into the
// store.
oci::Descriptor root_of(ContentStore& store, const std::vector<BuiltImage>& images, const Output& output);
// The index of several images in that form, in the store: `manifests` are their descriptors, with their platforms,
// `attestations` the entries of what is said of them, which come last.
oci::Descriptor index_of(ContentStore& store, std::vector<oci::Descriptor> manifests, const Output& output,
                         const std::vector<oci::Descriptor>& attestations = {});
// The same of built images, also of one alone.
oci::Descriptor index_of_images(ContentStore& store, const std::vector<BuiltImage>& images, const Output& output,
                                const std::vector<oci::Descriptor>& attestations);

}  // namespace kiln
