#include "builder/cli/images/baked_index.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "builder/attest/attestation_manifest.hpp"
#include "builder/build/build.hpp"
#include "builder/build/build_jobs.hpp"
#include "builder/build/delivery.hpp"
#include "builder/build/places.hpp"
#include "builder/build/target_tags.hpp"
#include "builder/cli/images/image_documents.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/push.hpp"

namespace kiln::cli {

namespace {

// What is at the registry for one platform, as an index lists it.
struct PlatformEntries {
  oci::Descriptor image;
  std::vector<oci::Descriptor> attestations;  // of the image
};

oci::Descriptor entry_of_image(RegistrySession& session, const oci::Descriptor& manifest, const std::string& where) {
  oci::Descriptor entry = manifest;
  const oci::Descriptor config = oci::parse_manifest(session.store().read(manifest.digest), where).config;
  entry.platform = oci::parse_image_config(session.store().read(config.digest), where).platform;
  return entry;
}

// A part whose attestations stand in an index is an index of one image.
PlatformEntries entries_of_part(RegistrySession& session, const oci::Descriptor& root, const std::string& where) {
  PlatformEntries entries;
  if (!oci::media_type::is_index(root.media_type)) {
    entries.image = entry_of_image(session, root, where);
    return entries;
  }
  std::size_t images = 0;
  for (oci::Descriptor& entry : oci::parse_index(session.store().read(root.digest), where).manifests) {
    if (entry.annotations.contains(kAttestedDigestAnnotation)) {
      entries.attestations.push_back(std::move(entry));
    } else if (++images == 1) {
      const oci::Descriptor manifest{entry.media_type, entry.digest, entry.size, {}, {}, {}};
      entries.image = entry_of_image(session, manifest, where);
    }
  }
  if (images != 1) {
    throw Error(Category::network,
                fmt::format("{} was expected to be one image, and is an index of {}", where, images));
  }
  return entries;
}

PlatformEntries platform_entries(RegistrySession& session, const TargetSpec& target, const TargetInputs& inputs) {
  const oci::Reference source = platform_references(target, inputs).front();
  const auto there =
      session.remote().client_for(source).resolve(session.remote().repository_of(source).repository, *source.tag);
  const std::string platform = target.platform().str();
  if (!there) {
    throw Error(Category::network,
                fmt::format("the image of '{}' for {} is not at the registry as '{}'; 'kiln bake {} --push "
                            "--only-platform {}' pushes it, from the same files and by the same version of kiln",
                            target.name, platform, source.str(), target.name, platform));
  }
  const oci::Descriptor root = fetch_documents(session, source.with_digest(there->digest));
  return entries_of_part(session, root, fmt::format("'{}'", source.str()));
}

}  // namespace

BakedIndex put_baked_index(RegistrySession& session, const Plan& plan, const std::string& target,
                           const std::vector<TargetInputs>& inputs, const CheckIndex& check) {
  const std::vector<std::size_t> numbers = numbers_of(plan, target);
  const TargetSpec& spec = plan.targets[numbers.front()]->target;
  if (spec.names.empty()) throw Error(Category::usage, fmt::format("target '{}' has no tags to be put under", target));
  const Output output = last_image_output(spec, numbers.size());
  BakedIndex baked;
  std::vector<TargetInputs> own;
  std::vector<oci::Descriptor> attestations;
  for (const std::size_t number : numbers) {
    own.push_back(inputs[number]);
    PlatformEntries entries = platform_entries(session, plan.targets[number]->target, inputs[number]);
    baked.manifests.push_back(std::move(entries.image));
    attestations.insert(attestations.end(), entries.attestations.begin(), entries.attestations.end());
  }
  baked.root = index_of(session.store(), baked.manifests, output, attestations);
  baked.names = names_at(output, spec.names);
  check(oci::Reference::parse(baked.names.front()), baked.root);
  PushRequest request{baked.root, {}};
  for (const std::string& name : baked.names) request.targets.push_back(oci::Reference::parse(name));
  // Last: who finds this tag takes the others to be there.
  for (const oci::Reference& reference : inputs_references(spec, inputs_of_all(own)))
    request.targets.push_back(reference);
  push_image(session.remote(), session.store(), request, {}, &session.transfers());
  return baked;
}

}  // namespace kiln::cli
