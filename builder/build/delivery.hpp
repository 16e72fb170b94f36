#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "builder/attest/attested_image.hpp"
#include "builder/build/build_request.hpp"
#include "builder/steps/or_blocked.hpp"

namespace kiln {

// One output of one target: its images in the form that the output asks for, and the references they get there.
struct Delivery {
  std::string target;  // its name
  Output output;
  std::vector<std::string> names;                           // full references: the target's and the output's own
  std::vector<BuiltImage> images;                           // one for each platform
  oci::Descriptor root;                                     // the image's manifest, or the index of all
  std::vector<AttestedImage> attested = {};                 // what is attached to the images once they are pushed
  std::vector<oci::Descriptor> attestation_manifests = {};  // those of the index
};

// How a push ended: all names are at the registry where there is no error and nothing lost.
struct PushEnd {
  std::optional<Error> error;
  Blocked lost;         // steps whose layers the registry lacks and no place has; then there is no error
  bool is_new = false;  // some name was put; else all of them named the image already
};

// Where images go, and what is done to them there; deliver() says in which order.
class DeliveryPlaces {
 public:
  virtual ~DeliveryPlaces() = default;
  // Every layer of the images is in the store, read and verified. Returns the steps whose layers no place has.
  virtual Blocked verify_layers(const Delivery& delivery) = 0;
  // Writes an archive or files, or loads the image into an engine.
  virtual void export_images(const Delivery& delivery) = 0;
  // Pushes all of them together; how each ended, in their order. A target that fails does not keep others back.
  virtual std::vector<PushEnd> push(const std::vector<const Delivery*>& deliveries) = 0;
  // Names the images in the store, all in one write. An image some of whose layers are not there gets no name.
  virtual void name_in_store(const std::vector<const Delivery*>& deliveries) = 0;
};

// Executes the lost steps again and puts the images of the targets that came of it in place of those in their
// deliveries. An Error where a step was executed before.
using MakeAgain = std::function<void(const std::set<std::string>& targets, const Blocked& lost)>;

// Delivers images, in one order whatever they are: layers that anything of this machine needs are verified, then
// archives and files are written and engines loaded, then images are pushed, then named in the store. So a name in the
// store and at a registry refers to what is whole: where a layer is lost or an export fails nothing is named or
// pushed, and an image whose push failed gets no name in the store. Throws the first error of a push after the others
// were pushed and named.
//
// A cache may have lost layers since they were looked up. Where one is missing, its step is executed again and the
// images of the targets that have it are made anew, before anything of these targets is named; what other targets have
// delivered stays as it is.
void deliver(std::vector<Delivery>& deliveries, DeliveryPlaces& places, const MakeAgain& make_again);

// Whether a delivery by this output, under these names, reads every layer of the image on this machine.
bool reads_layers(const Output& output, const std::vector<std::string>& names);

// The outputs of a target: those that it says, annotated as it says, and for what only has a name the store.
// Error{usage} for what cannot be written, before anything is built: a push without a name, several platforms in a
// format that holds one, annotations with nowhere to go, an archive for a terminal.
std::vector<Output> outputs_of(const TargetSpec& target, const DeliveryWishes& wishes, std::size_t platforms);

// What of a target's names, labels and annotations no output takes along, a sentence each: an image alone has them, and
// an annotation for a platform only where that is built.
std::vector<std::string> unused_words(const TargetSpec& target, const std::vector<Output>& outputs,
                                      const std::vector<oci::Platform>& platforms);

// The references that a target's images get by an output: its names and the output's own, each once.
std::vector<std::string> names_at(const Output& output, const std::vector<std::string>& names);

}  // namespace kiln
