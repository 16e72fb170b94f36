#include "builder/build/attestor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/attest/attestation_manifest.hpp"
#include "builder/attest/provenance_attestation.hpp"
#include "builder/build/built_packages.hpp"
#include "builder/build/places.hpp"
#include "builder/build/provenance_facts.hpp"
#include "builder/packages/sbom.hpp"
#include "registry/store/attached.hpp"
#include "registry/store/closure.hpp"

namespace kiln {

namespace {

// Raised where the same image's packages come to be told in another way.
constexpr const char* kSbomVersion = "sbom 1";

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

}  // namespace

Attestor::Attestor(Workshop& shop, const Plan& plan, const BuildRequest& request)
    : shop_(shop),
      plan_(plan),
      request_(request),
      form_(request.delivery.attach_as.value_or(request.fleet.settings.attached_as.value_or(AttachedAs::referrers))),
      started_(shop.clock().now()),
      secrets_(plan.secrets) {}

void Attestor::hear_steps() { steps_ = steps_of_targets(shop_.recorder().heard_steps()); }

std::optional<AttachedAs> Attestor::form_of(const Output& output, AttachedAs wanted) {
  if (output.type == OutputType::oci) return AttachedAs::index;
  if (output.type != OutputType::image) return std::nullopt;
  if (wanted == AttachedAs::index) return AttachedAs::index;
  return output.push ? std::optional(AttachedAs::referrers) : std::nullopt;
}

Statement Attestor::sbom_of(const BuiltImage& built, const std::vector<std::string>& repositories,
                            FileList files) const {
  SbomSubject subject;
  subject.repository = repositories.empty() ? "" : repositories.front();
  subject.name = repositories.empty() ? "image" : subject.repository;
  subject.manifest = built.image.manifest.digest;
  subject.platform = built.image.image.platform;
  subject.created = stated_creation(built.image.image);
  subject.tool_version = shop_.surroundings().kiln_version;
  const ImagePackages packages = still_there(built_packages(built, shop_.layers(), files));
  for (const std::string& note : packages.notes)
    shop_.recorder().warn(fmt::format("SBOM of '{}': {}", subject.name, note));
  return make_statement(subject_names(repositories, subject.platform), subject.manifest, kSpdxPredicate,
                        spdx_json(subject, packages));
}

bool Attestor::is_in_index(const TargetSpec& target, const Output& output) const {
  return saying_of(target, output).form == AttachedAs::index;
}

std::optional<ProvenanceWish> Attestor::provenance_wish(const AttestationWishes& wishes) const {
  if (wishes.is_provenance_said || !request_.delivery.default_provenance) return wishes.provenance;
  ProvenanceWish least;
  least.mode = ProvenanceMode::min;
  return least;
}

Attestor::Saying Attestor::saying_of(const TargetSpec& target, const Output& output) const {
  Saying saying;
  saying.wishes = target.attestation_wishes();
  const bool is_pushed = output.type == OutputType::image && output.push;
  if (is_pushed && !saying.wishes.provenance) {
    saying.wishes.provenance = provenance_wish(saying.wishes);
    saying.is_default = saying.wishes.provenance.has_value();
  }
  if (!saying.wishes.any()) return saying;
  saying.form = form_of(output, form_);
  // Docker's media types are asked for, and the provenance is not.
  const bool is_default_alone = saying.is_default && !saying.wishes.sbom;
  if (saying.form == AttachedAs::index && is_default_alone && !output.oci_media_types)
    saying.form = AttachedAs::referrers;
  return saying;
}

std::string Attestor::predicate_of(const Told& told, std::size_t number) const {
  ProvenanceFacts facts = told.facts;
  add_commit(facts, plan_.targets[number]->target, request_.fleet);
  facts.kiln_version = shop_.surroundings().kiln_version;
  facts.started = started_;
  facts.finished = shop_.clock().now();
  if (told.wish.mode == ProvenanceMode::max) facts.steps = provenance_steps(plan_, number, steps_);
  return provenance_json(facts, told.wish);
}

std::optional<Attestor::Told> Attestor::told_of(std::size_t number, const StageResult& stage) const {
  const auto wish = provenance_wish(plan_.targets[number]->target.attestation_wishes());
  if (!wish) return std::nullopt;
  Told told{provenance_facts(*plan_.targets[number], secrets_, request_.fleet, stage.materials), *wish, {}};
  told.facts.network = network_of_steps(plan_, number, steps_);
  told.key = provenance_key(told.facts, told.wish);
  return told;
}

void Attestor::keep(const std::optional<Told>& told, std::size_t number, const oci::Digest& image) const {
  const ContentStore& store = shop_.store();
  if (!told) return forget_provenance(store, image);
  if (!keeps_provenance(store, image, told->key))
    keep_provenance(store, image, {told->key, predicate_of(*told, number)});
}

std::vector<Attestation> Attestor::attestations_of(const Delivery& delivery, const BuiltImage& built,
                                                   const Saying& saying, const std::optional<Told>& told,
                                                   std::size_t number) const {
  const std::vector<std::string> repositories = repositories_of(delivery.names);
  const oci::Digest& image = built.image.manifest.digest;
  std::vector<std::string> names = subject_names(repositories, built.image.image.platform);
  std::vector<Attestation> attestations;
  if (saying.wishes.sbom) {
    const FileList files = saying.wishes.is_sbom_of_files ? FileList::all : FileList::none;
    std::vector<std::string> parts = {kSbomVersion, image.str(), join(names, " ")};
    if (files == FileList::all) parts.emplace_back("files");
    attestations.push_back({kSpdxPredicate, attestation_key(parts),
                            [this, built, repositories, files] { return sbom_of(built, repositories, files); }});
  }
  if (saying.wishes.provenance) {
    attestations.push_back(provenance_attestation(std::move(names), image, told->key,
                                                  [this, told = *told, number] { return predicate_of(told, number); }));
    attestations.back().is_asked_for = !saying.is_default;
  }
  return attestations;
}

// One that was made for the image before is taken again: so an index of what did not change is the same.
oci::Descriptor Attestor::index_entry(const oci::Digest& image, const std::vector<Attestation>& attestations) const {
  ContentStore& store = shop_.store();
  std::vector<std::string> keys;
  for (const Attestation& attestation : attestations) keys.push_back(attestation.key);
  const std::string key = attestation_key(keys);
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
  const Saying saying = saying_of(target, delivery.output);
  const bool is_in_index = saying.form == AttachedAs::index;
  if (is_in_index && !delivery.output.oci_media_types) {
    throw Error(Category::usage,
                "attestations in an index need OCI's media types; leave oci-mediatypes=false out, or say --attest-as "
                "referrers");
  }
  const bool is_named = delivery.output.type == OutputType::image && !delivery.names.empty();
  std::vector<oci::Descriptor> entries;
  for (std::size_t i = 0; i < delivery.images.size(); ++i) {
    const BuiltImage& built = delivery.images[i];
    const std::size_t number = numbers[i];
    const bool is_told = is_named || saying.form;
    const std::optional<Told> told = is_told ? told_of(number, *stages.at(number)) : std::nullopt;
    if (is_named && !is_in_index) keep(told, number, built.image.manifest.digest);
    if (!saying.form) continue;
    std::vector<Attestation> attestations = attestations_of(delivery, built, saying, told, number);
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
  const AttestationWishes wishes = target.attestation_wishes();
  if (!wishes.any()) return "";
  const bool is_any = std::any_of(outputs.begin(), outputs.end(), [&](const Output& output) {
    const bool is_kept = output.type == OutputType::image && !wishes.sbom;
    return is_kept || Attestor::form_of(output, wanted);
  });
  if (is_any) return "";
  return fmt::format(
      "{}what is to be said of the image goes nowhere: it is attached to what is pushed, and put into archives of "
      "type=oci",
      target.name.empty() ? "" : fmt::format("target '{}': ", printable(target.name)));
}

}  // namespace kiln
