#include "builder/cli/words/fleet_images.hpp"

#include <algorithm>
#include <optional>

#include "base/process.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "registry/oci/reference.hpp"
#include "registry/store/content_store.hpp"
#include "registry/store/image_names.hpp"

namespace kiln::cli {

namespace {

std::optional<Fleet> fleet_of_here() {
  LoadFleetOptions options;
  options.working_directory = fs::current_path();
  options.environment = environment_variable;
  options.broken = BrokenImages::set_aside;
  try {
    return load_fleet(options);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool is_in_store(const std::string& word) {
  const auto reference = oci::Reference::parse_if_valid(word);
  if (!reference) return false;
  const ContentStore store(HomeLayout::open(HomeLayout::default_root()));
  return find_image(store, word) || find_image(store, reference->str());
}

// Of the names that a target is published under, the one with the tag, else `latest`, else the first.
std::optional<std::string> published_name(const Fleet& fleet, const TargetSpec& target, const std::string& tag) {
  const std::vector<std::string> names = image_names(fleet, target, {"", "0", "0"});
  if (names.empty()) return std::nullopt;
  if (!tag.empty()) return oci::Reference::parse(names.front()).with_tag(tag).str();
  const auto latest =
      std::find_if(names.begin(), names.end(), [](const std::string& name) { return name.ends_with(":latest"); });
  return latest == names.end() ? names.front() : *latest;
}

}  // namespace

std::vector<NamedByWord> images_of_word(const std::string& word) {
  const std::vector<NamedByWord> as_it_is = {{"", word}};
  const std::size_t colon = word.find(':');
  const std::string name = word.substr(0, colon), tag = colon == std::string::npos ? "" : word.substr(colon + 1);
  if (word.find_first_of("/@") != std::string::npos || (!tag.empty() && !oci::is_valid_tag(tag))) return as_it_is;
  const std::optional<Fleet> fleet = fleet_of_here();
  if (!fleet) return as_it_is;
  std::vector<NamedByWord> images;
  for (const TargetSpec& target : fleet->targets) {
    if (target.name != name && target.image != name) continue;
    if (const auto reference = published_name(*fleet, target, tag))
      images.push_back({target.profile ? target.profile->name : "", *reference});
  }
  return images.empty() || is_in_store(word) ? as_it_is : images;
}

std::vector<std::string> targets_of_image(const std::string& image) {
  std::vector<std::string> names;
  const std::optional<Fleet> fleet = fleet_of_here();
  if (!fleet) return names;
  for (const TargetSpec& target : fleet->targets) {
    if (target.image == image) names.push_back(target.name);
  }
  return names;
}

}  // namespace kiln::cli
