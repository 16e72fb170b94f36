#include "builder/cli/words/published_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/definitions/select.hpp"

namespace kiln::cli {

namespace {

Fleet load(const PublishedWords& words, BrokenImages broken = BrokenImages::refused) {
  LoadFleetOptions options;
  options.broken = broken;
  options.working_directory = fs::current_path();
  if (words.file) options.file = *words.file;
  options.environment = environment_variable;
  Fleet fleet = load_fleet(options);
  StderrLog log;
  for (const std::string& warning : fleet.warnings) log.warn(warning);
  return fleet;
}

// Tags with a date or a commit name one build each; "0" replaces them here, where only the repository matters.
constexpr const char* kOneBuild = "0";

std::map<std::string, std::vector<std::string>> tags_by_repository(const Fleet& fleet, const TargetSpec& target,
                                                                   const std::string& registry) {
  std::map<std::string, std::vector<std::string>> tags;
  for (const std::string& name : image_names(fleet, target, {registry, kOneBuild, kOneBuild})) {
    const oci::Reference reference = oci::Reference::parse(name);
    tags[reference.name()].push_back(reference.tag_or_latest());
  }
  return tags;
}

std::string choose_tag(const TargetSpec& target, const std::vector<std::string>& tags, const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (std::find(tags.begin(), tags.end(), "latest") != tags.end()) return "latest";
  if (tags.size() == 1 && target.tag_templates.empty()) return tags.front();
  throw Error(Category::usage,
              fmt::format("target '{}' is not published as 'latest'; say by --from which tag is meant", target.name));
}

std::string without_trailing_slashes(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

std::string parent_of(const std::string& repository) { return repository.substr(0, repository.rfind('/')); }

std::string registry_of(const Fleet& fleet, const PublishedWords& words, const std::vector<ReleaseCandidate>& images) {
  if (!words.registry.empty()) return without_trailing_slashes(words.registry);
  if (const std::string own = fleet.settings.registry_and_namespace(); !own.empty()) return own;
  std::set<std::string> parents;
  for (const ReleaseCandidate& image : images) parents.insert(parent_of(image.reference.name()));
  if (parents.size() == 1) return *parents.begin();
  throw Error(
      Category::usage,
      fmt::format("the images of '{}' are in several namespaces ({}); say with --registry HOST[:PORT]/NAMESPACE where "
                  "the release goes",
                  fleet.file.native(), join({parents.begin(), parents.end()}, ", ")));
}

PublishedImages images_of(const Fleet& fleet, const PublishedWords& words, const std::vector<std::string>& targets,
                          const std::string& tag) {
  PublishedImages published;
  published.releases = releases_folder(fleet);
  for (const TargetSpec* target : select_targets(fleet, targets, words.profiles)) {
    for (const auto& [repository, tags] : tags_by_repository(fleet, *target, words.registry)) {
      published.images.push_back(
          {target->name, oci::Reference::parse(repository).with_tag(choose_tag(*target, tags, tag))});
    }
  }
  if (published.images.empty()) throw Error(Category::usage, "none of these targets has a name to be published under");
  published.registry = registry_of(fleet, words, published.images);
  return published;
}

}  // namespace

fs::path releases_folder(const Fleet& fleet) {
  return (fleet.front_end == FrontEnd::image_definitions ? fleet.folder.parent_path() : fleet.folder) / "releases";
}

void add_published_words(Arguments& command, PublishedWords& words) {
  command.option("-f,--file", words.file, "fleet.json, its folder, or docker-bake.json")
      .option("--registry", words.registry, "HOST[:PORT]/NAMESPACE that the images are published under");
}

PublishedImages published_images(const PublishedWords& words, const std::vector<std::string>& targets,
                                 const std::string& tag) {
  if (!tag.empty() && !oci::is_valid_tag(tag))
    throw Error(Category::usage, fmt::format("'{}' is no tag", printable(tag)));
  return images_of(load(words), words, targets, tag);
}

std::vector<PublishedImage> all_published_images(const PublishedWords& words, const std::string& tag) {
  const Fleet fleet = load(words, BrokenImages::set_aside);
  std::vector<PublishedImage> images;
  for (const TargetSpec& target : fleet.targets) {
    const std::vector<std::string> names = image_names(fleet, target, {words.registry, kOneBuild, kOneBuild});
    if (names.empty()) continue;
    images.push_back(
        {target.image, target.profile ? target.profile->name : "", oci::Reference::parse(names.front()).with_tag(tag)});
  }
  return images;
}

std::string registry_of_releases(const PublishedWords& words) {
  if (!words.registry.empty()) return without_trailing_slashes(words.registry);
  const Fleet fleet = load(words);
  if (const std::string own = fleet.settings.registry_and_namespace(); !own.empty()) return own;
  return images_of(fleet, words, {}, kOneBuild).registry;
}

}  // namespace kiln::cli
