#include "builder/build/attestor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/attest/attestation_manifest.hpp"
#include "builder/attest/provenance.hpp"
#include "builder/build/places.hpp"
#include "builder/build/provenance_facts.hpp"
#include "builder/packages/layer_files.hpp"
#include "builder/packages/sbom.hpp"
#include "registry/store/attached.hpp"
#include "registry/store/closure.hpp"

namespace kiln {

namespace {

// Raised where the same image's packages come to be told in another way.
constexpr const char* kSbomVersion = "sbom 1";
constexpr const char* kProvenanceVersion = "provenance 1";

std::vector<std::string> repositories_of(const std::vector<std::string>& names) {
  std::vector<std::string> repositories;
  for (const std::string& name : names) {
    std::string repository = oci::Reference::parse(name).name();
    if (std::find(repositories.begin(), repositories.end(), repository) == repositories.end())
      repositories.push_back(std::move(repository));
  }
  return repositories;
}

std::vector<std::string> subject_names(const std::vector<std::string>& repositories, const oci::Platform& platform) {
  std::vector<std::string> names;
  for (const std::string& repository : repositories) names.push_back(subject_name(repository, platform));
  return names;
}

std::string key_of(const std::vector<std::string>& parts) {
  return std::string(oci::sha256_of(join(parts, "\n")).hex());
}

ImagePackages packages_of_image(const BuiltImage& built, LayerAccess& access) {
  const ImageLayers& layers = built.image.layers;
  const MergedView view = still_there(access.view(layers));
  const ReadLayerFiles read = [&](std::size_t layer, const std::set<std::string>& paths) {
    const LayerBlob blob = still_there(access.blobs().local(layers[layer]));
    return read_layer_files(access.store(), access.pool(), blob.descriptor, *view.layers()[layer], paths,
                            access.cancel());
  };
  return packages_of({view, built.image.parsed.layers, built.image.image.history}, read);
}

}  // namespace

Attestor::Attestor(Workshop& shop, const Plan& plan, const BuildRequest& request)
    : shop_(shop),
      plan_(plan),
      request_(request),
      form_(request.delivery.attach_as.value_or(request.fleet.settings.attached_as.value_or(AttachedAs::referrers))),
      started_(shop.clock().now()) {}

std::optional<AttachedAs> Attestor::form_of(const Output& output, AttachedAs wanted) {
  if (output.type == OutputType::oci) return AttachedAs::index;
  if (output.type != OutputType::image) return std::nullopt;
  if (wanted == AttachedAs::index) return AttachedAs::index;
  return output.push ? std::optional(AttachedAs::referrers) : std::nullopt;
}

Statement Attestor::sbom_of(const BuiltImage& built, const std::vector<std::string>& repositories) const {
  SbomSubject subject;
  subject.repository = repositories.empty() ? "" : repositories.front();
  subject.name = repositories.empty() ? "image" : subject.repository;
  subject.manifest = built.image.manifest.digest;
  subject.platform = built.image.image.platform;
  subject.created = stated_creation(built.image.image);
  subject.tool_version = shop_.surroundings().kiln_version;
  const ImagePackages packages = packages_of_image(built, shop_.layers());
  for (const std::string& note : packages.notes)
    shop_.recorder().warn(fmt::format("SBOM of '{}': {}", subject.name, note));
  return make_statement(subject_names(repositories, subject.platform), subject.manifest, kSpdxPredicate,
                        spdx_json(subject, packages));
}

std::vector<Attestation> Attestor::attestations_of(const Delivery& delivery, const BuiltImage& built,
                                                   std::size_t number, const StageResult& stage) const {
  const AttestationWishes wishes = plan_.targets[number]->target.attestation_wishes();
  const std::vector<std::string> repositories = repositories_of(delivery.names);
  const oci::Digest& image = built.image.manifest.digest;
  const std::vector<std::string> names = subject_names(repositories, built.image.image.platform);
  std::vector<Attestation> attestations;
  if (wishes.sbom) {
    attestations.push_back({kSpdxPredicate, key_of({kSbomVersion, image.str(), join(names, " ")}),
                            [this, built, repositories] { return sbom_of(built, repositories); }});
  }
  if (wishes.provenance) {
    const ProvenanceWish wish = *wishes.provenance;
    ProvenanceFacts facts = provenance_facts(plan_, number, request_.fleet, stage.materials);
    const std::vector<ProvenanceStep> steps = provenance_steps(plan_, number, shop_.recorder().heard_steps());
    facts.network = network_of_steps(steps);
    std::string key = key_of({kProvenanceVersion, std::string(to_string(wish.mode)), image.str(), join(names, " "),
                              lasting_provenance(facts, wish)});
    attestations.push_back(
        {kProvenancePredicate, std::move(key), [this, image, names, wish, steps, facts = std::move(facts)] {
           ProvenanceFacts told = facts;
           told.kiln_version = shop_.surroundings().kiln_version;
           told.started = started_;
           told.finished = shop_.clock().now();
           if (wish.mode == ProvenanceMode::max) told.steps = steps;
           return make_statement(names, image, kProvenancePredicate, provenance_json(told, wish));
         }});
  }
  return attestations;
}

// One that was made for the image before is taken again: so an index of what did not change is the same.
oci::Descriptor Attestor::index_entry(const oci::Digest& image, const std::vector<Attestation>& attestations) const {
  ContentStore& store = shop_.store();
  std::vector<std::string> keys;
  for (const Attestation& attestation : attestations) keys.push_back(attestation.key);
  const std::string key = key_of(keys);
  if (auto known = attestation_of_image(store, image, key)) {
    known->media_type = oci::media_type::kOciManifest;
    for (const oci::Descriptor& blob : closure_of(store, *known)) store.lease(blob.digest);
    if (missing_blobs(store, *known).empty()) return attestation_entry(*known, image);
  }
  std::vector<Statement> statements;
  for (const Attestation& attestation : attestations) statements.push_back(attestation.make());
  const oci::Descriptor manifest = put_attestation_manifest(store, statements);
  note_attestation_of_image(store, image, key, manifest);
  return attestation_entry(manifest, image);
}

void Attestor::attest(Delivery& delivery, const std::vector<std::size_t>& numbers,
                      const Workshop::Stages& stages) const {
  const TargetSpec& target = plan_.targets[numbers.front()]->target;
  if (!target.attestation_wishes().any()) return;
  const auto form = form_of(delivery.output, form_);
  if (!form) return;
  const bool is_in_index = *form == AttachedAs::index;
  if (is_in_index && !delivery.output.oci_media_types) {
    throw Error(Category::usage,
                "attestations in an index need OCI's media types; leave oci-mediatypes=false out, or say --attest-as "
                "referrers");
  }
  std::vector<oci::Descriptor> entries;
  for (std::size_t i = 0; i < delivery.images.size(); ++i) {
    const BuiltImage& built = delivery.images[i];
    std::vector<Attestation> attestations = attestations_of(delivery, built, numbers[i], *stages.at(numbers[i]));
    if (is_in_index) {
      entries.push_back(index_entry(built.image.manifest.digest, attestations));
      delivery.attestation_manifests.push_back(entries.back());
    } else {
      delivery.attested.push_back({built.image.manifest, std::move(attestations)});
    }
  }
  if (is_in_index) delivery.root = index_of_images(shop_.store(), delivery.images, delivery.output, entries);
}

std::string unused_attestations(const TargetSpec& target, const std::vector<Output>& outputs, AttachedAs wanted) {
  if (!target.attestation_wishes().any()) return "";
  const bool is_any = std::any_of(outputs.begin(), outputs.end(),
                                  [&](const Output& output) { return Attestor::form_of(output, wanted).has_value(); });
  if (is_any) return "";
  return fmt::format(
      "{}what is to be said of the image goes nowhere: it is attached to what is pushed, and put into archives of "
      "type=oci",
      target.name.empty() ? "" : fmt::format("target '{}': ", printable(target.name)));
}

}  // namespace kiln
