#include "builder/build/target_tags.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

TargetInputs inputs_of_all(const std::vector<TargetInputs>& platforms) {
  if (platforms.size() == 1) return platforms.front();
  TargetInputs all;
  StepKeyBuilder key("index inputs");
  for (const TargetInputs& one : platforms) {
    key.text("inputs", one.hash);
    if (all.open.empty()) all.open = one.open;
  }
  all.hash = key.finish();
  return all;
}

namespace {

// A tag in each repository that the target is published to.
std::vector<oci::Reference> references_by_tag(const TargetSpec& target, const std::string& tag) {
  std::vector<oci::Reference> references;
  for (const std::string& name : target.names) {
    oci::Reference reference = oci::Reference::parse(name);
    reference.digest.reset();
    reference.tag = tag;
    if (std::find(references.begin(), references.end(), reference) == references.end())
      references.push_back(std::move(reference));
  }
  return references;
}

}  // namespace

std::vector<oci::Reference> inputs_references(const TargetSpec& target, const TargetInputs& inputs) {
  if (!inputs.open.empty()) return {};
  return references_by_tag(target, inputs.tag());
}

std::vector<oci::Reference> platform_references(const TargetSpec& target, const TargetInputs& inputs) {
  std::string platform = target.platform().str();
  std::replace(platform.begin(), platform.end(), '/', '-');
  return references_by_tag(target, inputs.tag() + "-" + platform);
}

std::vector<Pin> parse_pins(const std::vector<std::string>& words, const Plan& plan,
                            const std::set<std::size_t>& wanted) {
  std::vector<Pin> pins;
  const std::set<std::size_t> needed = plan.closure(wanted);
  std::vector<std::string> names;
  for (const std::size_t number : needed) names.push_back(plan.targets[number]->target.name);
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      throw Error(Category::usage,
                  fmt::format("'--pin {}' must be NAME=REFERENCE: an image of the fleet and what it must come out as",
                              printable(word)));
    }
    const std::string name = word.substr(0, equals);
    const auto it = std::find_if(needed.begin(), needed.end(),
                                 [&](std::size_t number) { return plan.targets[number]->target.name == name; });
    if (it == needed.end()) {
      throw Error(Category::usage, fmt::format("'--pin {}': '{}' is no target that this build needs{}", printable(word),
                                               printable(name), suggestion(name, names)));
    }
    pins.push_back({*it, oci::Reference::parse(word.substr(equals + 1))});
  }
  return pins;
}

namespace {

bool is_image_entry(const oci::Descriptor& entry) { return !entry.platform || !entry.platform->is_unknown(); }

// What the manifests of an index are for these platforms, and what they should be; empty where they are the same.
std::string difference_to_index(const oci::Index& index, const std::vector<oci::Descriptor>& manifests) {
  for (const oci::Descriptor& built : manifests) {
    const auto entry = std::find_if(index.manifests.begin(), index.manifests.end(), [&](const oci::Descriptor& other) {
      return other.platform && other.platform->normalised() == built.platform->normalised();
    });
    if (entry == index.manifests.end()) {
      return fmt::format("comes out for {} here, but is pinned to an index of {}", built.platform->str(),
                         platforms_of(index));
    }
    if (entry->digest == built.digest) continue;
    return fmt::format("comes out as {} for {} here, but is pinned to {}", built.digest.str(), built.platform->str(),
                       entry->digest.str());
  }
  return "";
}

}  // namespace

void check_pin(const Pin& pin, const PinnedImages& built, RemoteSession& remote) {
  RegistryClient client = remote.client_for(pin.reference);
  const std::string repository = remote.repository_of(pin.reference).repository;
  std::optional<oci::Digest> expected = pin.reference.digest;
  if (!expected) {
    const auto found = client.resolve(repository, pin.reference.manifest_key());
    if (!found) {
      throw Error(Category::network, fmt::format("'{}', which '{}' is pinned to, is not at the registry",
                                                 pin.reference.str(), built.target));
    }
    expected = found->digest;
  }
  const auto is_expected = [&](const oci::Descriptor& manifest) { return manifest.digest == *expected; };
  if (is_expected(built.root)) return;
  if (std::any_of(built.manifests.begin(), built.manifests.end(), is_expected)) return;
  std::string difference =
      fmt::format("comes out as {} here, but is pinned to {}", built.root.digest.str(), expected->str());
  // A part is one of the index's images. An index of all of them may hold what is said of them, too.
  std::optional<FetchedManifest> there;
  if (built.is_part || (built.is_attested && client.resolve(repository, expected->str())))
    there = client.fetch_manifest(repository, expected->str(), std::nullopt);
  if (there && oci::media_type::is_index(there->descriptor.media_type)) {
    const oci::Index index = oci::parse_index(there->bytes, fmt::format("'{}'", pin.reference.str()));
    const auto images = std::count_if(index.manifests.begin(), index.manifests.end(), is_image_entry);
    std::string found = difference_to_index(index, built.manifests);
    if (found.empty() && (built.is_part || images == static_cast<std::ptrdiff_t>(built.manifests.size()))) return;
    if (built.is_part) difference = std::move(found);
  }
  throw Error(Category::build, fmt::format("'{}' {} ({}); the builds do not share one cache, or their inputs differ",
                                           built.target, difference, pin.reference.str()));
}

}  // namespace kiln
