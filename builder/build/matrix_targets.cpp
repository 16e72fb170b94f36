#include "builder/build/matrix_targets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

namespace {

// An index is made of what is there: it takes no time that a prediction could be wrong about.
constexpr double kIndexSeconds = 1;

// The numbers of a published target's platforms; none of what is built for children only.
std::vector<std::size_t> platforms_of(const Plan& plan, std::size_t number) {
  if (plan.targets[number]->is_for_children) return {};
  return numbers_of(plan, plan.targets[number]->target.name);
}

TargetInputs inputs_of_platforms(const std::vector<std::size_t>& numbers, const std::vector<TargetInputs>& inputs) {
  std::vector<TargetInputs> own;
  for (const std::size_t number : numbers) own.push_back(inputs[number]);
  return inputs_of_all(own);
}

class MatrixTargets {
 public:
  MatrixTargets(const Plan& plan, const std::vector<TargetInputs>& inputs, const KnownImages& known,
                const RunnerOf& runner_of, const SecondsOf& seconds_of)
      : plan_(plan), inputs_(inputs), known_(known), runner_of_(runner_of), seconds_of_(seconds_of) {}

  // In an order in which parents come first.
  void add(std::size_t number) {
    const std::vector<std::size_t> platforms = platforms_of(plan_, number);
    const TargetSpec& spec = plan_.targets[number]->target;
    std::size_t wave = 0;
    for (const std::size_t parent : plan_.targets[number]->fleet_parents) wave = std::max(wave, waves_[parent]);
    waves_[number] = wave;
    if (platforms.empty() || spec.names.empty() || known_.images.count(platforms.front())) return;
    if (!known_.platforms.count(number)) {
      waves_[number] = wave + 1;
      add_build(number, wave);
    }
    if (platforms.size() > 1 && ++platforms_seen_[platforms.front()] == platforms.size()) add_index(platforms);
  }

  std::vector<MatrixTarget> take() { return std::move(targets_); }

 private:
  MatrixTarget& add_target(std::size_t number, std::size_t wave) {
    const TargetSpec& spec = plan_.targets[number]->target;
    MatrixTarget& target = targets_.emplace_back();
    target.name = spec.name;
    target.image = spec.image;
    if (spec.profile) target.profile = spec.profile->name;
    target.wave = wave;
    return target;
  }

  void add_build(std::size_t number, std::size_t wave) {
    const TargetSpec& spec = plan_.targets[number]->target;
    MatrixTarget& target = add_target(number, wave);
    target.platform = spec.platform().str();
    target.runner = runner_of_(spec.platform());
    target.inputs = inputs_[number].hash;
    target.seconds = seconds_of_(spec);
    for (const std::size_t parent : plan_.targets[number]->fleet_parents) add_parent(target, parent);
  }

  void add_parent(MatrixTarget& target, std::size_t parent) const {
    const std::vector<std::size_t> platforms = platforms_of(plan_, parent);
    if (platforms.empty()) return;
    const TargetSpec& above = plan_.targets[parent]->target;
    const auto image = known_.images.find(platforms.front());
    const auto platform = known_.platforms.find(parent);
    std::string reference;
    if (image != known_.images.end()) {
      reference = by_digest(image->second.front());
    } else if (platform != known_.platforms.end()) {
      reference = by_digest(platform->second.front());
    } else {
      const auto references = platforms.size() > 1 ? platform_references(above, inputs_[parent])
                                                   : inputs_references(above, inputs_[parent]);
      if (references.empty()) return;
      reference = references.front().str();
    }
    target.parents.push_back(above.name + "=" + reference);
  }

  static std::string by_digest(const oci::Reference& reference) {
    return fmt::format("{}@{}", reference.name(), reference.digest->str());
  }

  void add_index(const std::vector<std::size_t>& platforms) {
    std::size_t wave = 0;
    std::vector<std::string> names;
    for (const std::size_t number : platforms) {
      wave = std::max(wave, waves_[number]);
      names.push_back(plan_.targets[number]->target.platform().str());
    }
    MatrixTarget& target = add_target(platforms.front(), wave);
    target.job = MatrixJob::index;
    target.platform = join(names, ",");
    target.runner = runner_of_(oci::Platform::host());
    target.inputs = inputs_of_platforms(platforms, inputs_).hash;
    target.seconds = kIndexSeconds;
  }

  const Plan& plan_;
  const std::vector<TargetInputs>& inputs_;
  const KnownImages& known_;
  const RunnerOf& runner_of_;
  const SecondsOf& seconds_of_;
  std::vector<MatrixTarget> targets_;
  std::map<std::size_t, std::size_t> waves_;           // by number: the wave in which it can be built on
  std::map<std::size_t, std::size_t> platforms_seen_;  // by the first number of an image: how many came by
};

}  // namespace

std::set<std::size_t> needed_images(const Plan& plan, std::set<std::size_t> wanted) {
  std::set<std::size_t> needed = plan.closure(wanted);
  while (needed != wanted) {
    wanted = needed;
    for (const std::size_t number : wanted) {
      for (const std::size_t platform : platforms_of(plan, number)) needed.insert(platform);
    }
    needed = plan.closure(needed);
  }
  return needed;
}

KnownImages find_known(const Plan& plan, const std::set<std::size_t>& needed, const std::vector<TargetInputs>& inputs,
                       RemoteSession& remote, Log& log) {
  KnownImages known;
  const auto all_found = [&](const std::string& target, const std::vector<oci::Reference>& references) {
    std::vector<oci::Reference> found;
    for (const oci::Reference& reference : references) {
      try {
        const auto manifest =
            remote.client_for(reference).resolve(remote.repository_of(reference).repository, reference.manifest_key());
        if (manifest) found.push_back(reference.with_digest(manifest->digest));
      } catch (const Error& error) {
        if (error.category() != Category::network) throw;
        log.warn(fmt::format("'{}' is built because the registry did not answer: {}", target, error.message()));
      }
    }
    if (found.size() != references.size()) found.clear();
    return found;
  };
  for (const std::size_t number : needed) {
    const std::vector<std::size_t> platforms = platforms_of(plan, number);
    if (platforms.empty() || platforms.front() != number) continue;
    const TargetSpec& spec = plan.targets[number]->target;
    auto image = all_found(spec.name, inputs_references(spec, inputs_of_platforms(platforms, inputs)));
    if (!image.empty()) {
      known.images.emplace(number, std::move(image));
      continue;
    }
    if (platforms.size() == 1) continue;
    for (const std::size_t each : platforms) {
      // Inputs that the hash does not decide have the tag of another run perhaps, with another image.
      if (!inputs[each].open.empty()) continue;
      auto one = all_found(spec.name, platform_references(plan.targets[each]->target, inputs[each]));
      if (!one.empty()) known.platforms.emplace(each, std::move(one));
    }
  }
  return known;
}

std::vector<MatrixTarget> matrix_targets(const Plan& plan, const std::set<std::size_t>& needed,
                                         const std::vector<TargetInputs>& inputs, const KnownImages& known,
                                         const RunnerOf& runner_of, const SecondsOf& seconds_of) {
  MatrixTargets targets(plan, inputs, known, runner_of, seconds_of);
  for (const std::size_t number : plan.order()) {
    if (needed.count(number)) targets.add(number);
  }
  return targets.take();
}

}  // namespace kiln
