#include "builder/definitions/definitions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/definitions/cuda_arch.hpp"
#include "builder/definitions/embedded_schemas.hpp"
#include "builder/definitions/fleet_settings.hpp"
#include "builder/definitions/image_definition.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/mistakes.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/definitions/profile_schema.hpp"
#include "builder/definitions/schema.hpp"
#include "builder/definitions/select.hpp"

namespace kiln {

using nlohmann::json;

namespace {

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

// A profiles' folder may bring a schema whose keys add to kiln's.
std::map<std::string, Profile> profiles_of(const fs::path& folder, BrokenProfiles* broken) {
  const fs::path file = folder / "schema.json";
  const auto text = read_file_if_exists(file, std::uint64_t{4} << 20);
  if (!text || *text == embedded::profile_schema_text()) {
    return load_profiles(folder, profile_schema(), broken);
  }
  return load_profiles(folder, extended_profile_schema(*text, file), broken);
}

// The target in the place of an image whose definition cannot be read: what is built from it finds it by its name.
TargetSpec broken_target(const fs::path& file, const Error& error) {
  TargetSpec target;
  target.image = file.parent_path().filename().string();
  try {
    const std::string name = string_member(JsonSource::read(file).parse(), "name");
    if (!name.empty()) target.image = name;
  } catch (const Error&) {
    // It is no JSON at all: the folder names it.
  }
  target.name = target.image;
  target.kind = ImageKind::base;
  target.definition = file;
  target.dockerfile_inline = "FROM scratch\n";
  target.problems = problems_of(error);
  return target;
}

struct FoundImages {
  std::vector<ImageDefinition> images;
  std::vector<TargetSpec> broken;
};

FoundImages images_in(Fleet& fleet) {
  FoundImages found;
  for (const std::string& name : list_directory(fleet.folder)) {
    const fs::path folder = fleet.folder / name;
    if (name.starts_with(".") || !fs::is_directory(folder)) continue;
    const fs::path file = folder / "image.json";
    if (fs::exists(file)) {
      try {
        found.images.push_back(read_image_definition(file, fleet.settings));
      } catch (const Error& error) {
        if (error.category() != Category::usage) throw;
        found.broken.push_back(broken_target(file, error));
      }
    } else if (fs::exists(folder / "Dockerfile")) {
      fleet.warnings.push_back(
          fmt::format("'{}' has a Dockerfile but no image.json, so it is no image of the fleet", display_path(folder)));
    }
  }
  return found;
}

// Of images that have one name, none is it: in their place is one that is broken.
void set_aside_equal_names(FoundImages& found) {
  std::map<std::string, const ImageDefinition*> first_of;
  std::map<std::string, std::vector<std::string>> problems;
  for (const ImageDefinition& image : found.images) {
    const auto [first, is_new] = first_of.emplace(image.target.image, &image);
    if (is_new) continue;
    problems[image.target.image].push_back(fmt::format("{}: two images have the name '{}'; the other is in '{}'",
                                                       image.source.at("/name"), image.target.image,
                                                       display_path(first->second->source.file())));
  }
  for (auto& [name, told] : problems) {
    found.broken.push_back(broken_target(first_of.at(name)->source.file(), error_of(told)));
  }
  std::erase_if(found.images, [&](const ImageDefinition& image) { return problems.contains(image.target.image); });
}

void check_gpu(const ImageDefinition& image, const Profile& profile, const std::string& pointer) {
  if (image.target.device != Device::gpu || image.target.kind != ImageKind::service) return;
  const auto arch = profile.values.find("CUDA_ARCH");
  if (arch == profile.values.end()) {
    image.source.fail(pointer, fmt::format("profile '{}' has no CUDA_ARCH, which a GPU service needs", profile.name));
  }
  if (!image.target.cuda) return;
  if (const auto problem = check_cuda_arch(arch->second, image.target.cuda->arch_list)) {
    image.source.fail(pointer, fmt::format("profile '{}': {}", profile.name, *problem));
  }
}

// One target for each profile of the image, or one without.
std::vector<TargetSpec> targets_of(const ImageDefinition& image, const Fleet& fleet, const BrokenProfiles& broken) {
  const bool inherits = !image.profiles && image.target.kind == ImageKind::service;
  const std::vector<std::string>& names =
      inherits ? fleet.default_profiles : image.profiles.value_or(std::vector<std::string>{});
  std::vector<TargetSpec> targets;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string pointer = inherits ? "/kind" : child_pointer("/profiles", i);
    if (const auto problems = broken.find(names[i]); problems != broken.end()) {
      TargetSpec target = image.target;
      target.name = fmt::format("{}-{}", target.image, names[i]);
      target.problems = problems->second;
      targets.push_back(std::move(target));
      continue;
    }
    const auto profile = fleet.profiles.find(names[i]);
    if (profile == fleet.profiles.end()) {
      image.source.fail(pointer, fmt::format("unknown profile '{}'{}", printable(names[i]),
                                             suggestion(names[i], keys_of(fleet.profiles))));
    }
    check_gpu(image, profile->second, pointer);
    TargetSpec target = image.target;
    target.profile = profile->second;
    target.name = fmt::format("{}-{}", target.image, names[i]);
    const auto baked = profile_build_args(profile->second);
    for (const auto& [key, value] : target.args) {
      if (!baked.contains(key)) continue;
      image.source.fail(child_pointer("/args", key), fmt::format("'{}' is set by the profile '{}'", key, names[i]));
    }
    targets.push_back(std::move(target));
  }
  if (!targets.empty()) return targets;
  if (image.target.device == Device::gpu && image.target.kind == ImageKind::service) {
    image.source.fail("/device", fmt::format("a GPU service needs a profile; add \"profiles\" with some of: {}",
                                             join(keys_of(fleet.profiles), ", ")));
  }
  TargetSpec target = image.target;
  target.name = target.image;
  return {std::move(target)};
}

// "target:NAME" may name an image: then its target for the same profile is meant.
void resolve_target_contexts(TargetSpec& target, const ImageDefinition& image, const Fleet& fleet) {
  for (auto& [name, value] : target.contexts) {
    if (!value.starts_with("target:")) continue;
    const std::string wanted = value.substr(7);
    const TargetSpec* found = fleet.find(wanted);
    if (found == nullptr && target.profile) found = fleet.find(fmt::format("{}-{}", wanted, target.profile->name));
    if (found == nullptr) {
      std::vector<std::string> known;
      for (const TargetSpec& other : fleet.targets) known.push_back(other.name);
      image.source.fail(child_pointer("/contexts", name),
                        fmt::format("unknown target '{}'{}", printable(wanted), suggestion(wanted, known)));
    }
    value = "target:" + found->name;
  }
}

void add_groups(Fleet& fleet, const std::vector<ImageDefinition>& images, const JsonSource& source, const json& content,
                Mistakes& mistakes) {
  std::vector<std::string>& by_default = fleet.groups["default"];
  for (const ImageDefinition& image : images) {
    std::vector<std::string> names;
    for (const TargetSpec& target : fleet.targets) {
      if (target.image == image.target.image) names.push_back(target.name);
    }
    if (image.is_default) by_default.insert(by_default.end(), names.begin(), names.end());
    if (names.front() != image.target.image) fleet.groups[image.target.image] = names;
  }
  for (const TargetSpec& target : fleet.targets) {
    const bool is_in = std::find(by_default.begin(), by_default.end(), target.name) != by_default.end();
    if (!target.problems.empty() && !is_in) by_default.push_back(target.name);
  }
  std::sort(by_default.begin(), by_default.end());
  if (!content.contains("groups")) return;

  const json& groups = content.at("groups");
  for (const auto& [name, members] : groups.items()) {
    if (name != "default" && (fleet.find(name) != nullptr || fleet.groups.contains(name))) {
      mistakes.add({fmt::format("{}: '{}' is the name of an image or target already",
                                source.at(child_pointer("/groups", name)), name)});
    }
    fleet.groups[name] = members.get<std::vector<std::string>>();
  }
  std::set<std::string> names;
  for (const TargetSpec& target : fleet.targets) names.insert(target.name);
  for (const auto& [name, members] : fleet.groups) names.insert(name);
  for (const auto& [name, members] : groups.items()) {
    const std::string pointer = child_pointer("/groups", name);
    bool are_known = true;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto member = members[i].get<std::string>();
      if (names.contains(member) || fleet.find(member) != nullptr) continue;
      are_known = false;
      mistakes.add({fmt::format("{}: unknown image, target or group '{}'{}", source.at(child_pointer(pointer, i)),
                                printable(member), suggestion(member, {names.begin(), names.end()}))});
    }
    if (!are_known) continue;
    try {
      select_targets(fleet, {name}, {});
    } catch (const Error& error) {
      mistakes.add({fmt::format("{}: {}", source.at(pointer), error.message())});
    }
  }
}

// Two targets under one name would overwrite one another in the registry.
void check_names(const Fleet& fleet, const JsonSource& source) {
  const NameValues sample{"", "20000101", "0123456789ab"};
  std::map<std::string, const TargetSpec*> owners;
  for (const TargetSpec& target : fleet.targets) {
    if (!target.problems.empty()) continue;
    std::vector<std::string> names;
    try {
      names = image_names(fleet, target, sample);
    } catch (const Error& error) {
      throw Error(Category::usage, fmt::format("{}: {}", display_path(source.file()), error.message()));
    }
    for (const std::string& name : names) {
      const auto [owner, is_new] = owners.emplace(name, &target);
      if (is_new) continue;
      source.fail(
          "/repository",
          fmt::format("the targets '{}' and '{}' would both be published as '{}'; say {{image}} and {{profile}} in "
                      "\"repository\" or \"tags\"",
                      owner->second->name, target.name, name));
    }
  }
}

// Puts the targets of all images into the fleet; in the place of those of a broken image, one with its problems.
void add_targets(Fleet& fleet, const std::vector<ImageDefinition>& images, std::vector<TargetSpec> broken,
                 const BrokenProfiles& broken_profiles, Mistakes& mistakes) {
  std::map<std::string, const ImageDefinition*> owners;
  for (const ImageDefinition& image : images) {
    std::vector<TargetSpec> targets;
    try {
      targets = targets_of(image, fleet, broken_profiles);
    } catch (const Error& error) {
      broken.push_back(broken_target(image.source.file(), error));
    }
    for (TargetSpec& target : targets) {
      const auto [owner, is_new] = owners.emplace(target.name, &image);
      if (!is_new) {
        mistakes.add({fmt::format("{}: '{}' is also the name of a target of the image '{}'", image.source.at(""),
                                  target.name, owner->second->target.image)});
        continue;
      }
      fleet.targets.push_back(std::move(target));
    }
  }
  for (TargetSpec& target : broken) {
    if (owners.contains(target.name)) {
      mistakes.add(target.problems);
      continue;
    }
    fleet.targets.push_back(std::move(target));
  }
  fleet.sort();
  for (TargetSpec& target : fleet.targets) {
    const auto owner = owners.find(target.name);
    if (owner == owners.end()) continue;
    try {
      resolve_target_contexts(target, *owner->second, fleet);
    } catch (const Error& error) {
      target.problems = problems_of(error);
    }
  }
  for (const ImageDefinition& image : images) {
    if (owners.contains(image.target.image) && owners.at(image.target.image) != &image) {
      mistakes.add({fmt::format("{}: '{}' is also the name of a target of the image '{}'", image.source.at(""),
                                image.target.image, owners.at(image.target.image)->target.image)});
    }
  }
}

}  // namespace

Fleet load_definitions(const fs::path& given, BrokenImages broken) {
  Fleet fleet;
  fleet.folder = fs::absolute(given).lexically_normal();
  if (!fleet.folder.has_filename()) fleet.folder = fleet.folder.parent_path();
  fleet.file = fleet.folder / "fleet.json";
  if (!fs::exists(fleet.file)) {
    throw Error(Category::usage, fmt::format("'{}' holds no fleet.json, so it is no folder of image definitions",
                                             display_path(fleet.folder)));
  }
  const JsonSource source = JsonSource::read(fleet.file);
  Mistakes mistakes;
  json content;
  mistakes.of([&] {
    content = source.parse(fleet_schema());
    fleet.settings = read_fleet_settings(source, content);
  });
  if (!mistakes.is_empty()) {
    // Nothing wrong with an image hangs on the fleet's settings.
    const FoundImages found = images_in(fleet);
    std::vector<const TargetSpec*> broken_images;
    for (const TargetSpec& target : found.broken) broken_images.push_back(&target);
    mistakes.refuse(broken_images);
  }
  BrokenProfiles broken_profiles;
  fleet.profiles =
      profiles_of(fleet.settings.profiles_folder, broken == BrokenImages::set_aside ? &broken_profiles : nullptr);
  for (const auto& [name, problems] : broken_profiles) {
    fleet.warnings.push_back(
        fmt::format("profile '{}' is left out, and what is built for it: {}", printable(name), join(problems, "; ")));
  }
  fleet.default_profiles = content.value("profiles", std::vector<std::string>{});
  const auto is_known = [&](const std::string& name) {
    return fleet.profiles.contains(name) || broken_profiles.contains(name);
  };
  for (std::size_t i = 0; i < fleet.default_profiles.size(); ++i) {
    const std::string& name = fleet.default_profiles[i];
    if (is_known(name)) continue;
    mistakes.add({fmt::format("{}: unknown profile '{}'{}", source.at(child_pointer("/profiles", i)), printable(name),
                              suggestion(name, keys_of(fleet.profiles)))});
  }
  std::erase_if(fleet.default_profiles, [&](const std::string& name) { return !is_known(name); });

  FoundImages found = images_in(fleet);
  set_aside_equal_names(found);
  add_targets(fleet, found.images, std::move(found.broken), broken_profiles, mistakes);
  // Groups and names are those of all targets that there ought to be.
  mistakes.refuse(all_targets(fleet));
  if (broken == BrokenImages::refused) refuse_problems(all_targets(fleet));
  add_groups(fleet, found.images, source, content, mistakes);
  mistakes.of([&] { check_names(fleet, source); });
  mistakes.refuse(all_targets(fleet));
  return fleet;
}

std::optional<TargetSpec> baseline_target(const TargetSpec& target) {
  if (!target.baseline || !target.baseline->dockerfile) return std::nullopt;
  TargetSpec result;
  result.name = target.image + "-baseline";
  result.image = result.name;
  result.kind = target.kind;
  result.device = target.device;
  result.definition = target.definition;
  result.dockerfile = target.baseline->dockerfile;
  result.context = target.context;
  result.remote_context = target.remote_context;
  result.contexts = target.contexts;
  result.platforms = target.platforms;
  result.compression = target.compression;
  if (result.dockerfile == target.dockerfile) {
    result.stage = target.stage;
    result.args = target.args;
  }
  result.network = target.network;
  result.secrets = target.secrets;
  result.ssh = target.ssh;
  return result;
}

}  // namespace kiln
