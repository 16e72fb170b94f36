#include "builder/build/target_tags.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "builder/cache/step_key.hpp"
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

std::vector<oci::Reference> inputs_references(const TargetSpec& target, const TargetInputs& inputs) {
  std::vector<oci::Reference> references;
  if (!inputs.open.empty()) return references;
  for (const std::string& name : target.names) {
    oci::Reference reference = oci::Reference::parse(name);
    reference.digest.reset();
    reference.tag = inputs.tag();
    if (std::find(references.begin(), references.end(), reference) == references.end())
      references.push_back(std::move(reference));
  }
  return references;
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

void check_pin(const Pin& pin, const std::string& target, const oci::Digest& root, RemoteSession& remote) {
  oci::Digest expected;
  if (pin.reference.digest) {
    expected = *pin.reference.digest;
  } else {
    const auto found = remote.client_for(pin.reference)
                           .resolve(remote.repository_of(pin.reference).repository, pin.reference.manifest_key());
    if (!found)
      throw Error(Category::network,
                  fmt::format("'{}', which '{}' is pinned to, is not at the registry", pin.reference.str(), target));
    expected = found->digest;
  }
  if (root == expected) return;
  throw Error(Category::build,
              fmt::format("'{}' comes out as {} here, but is pinned to {} ({}); the builds do not share one cache, or "
                          "their inputs differ",
                          target, root.str(), expected.str(), pin.reference.str()));
}

}  // namespace kiln
