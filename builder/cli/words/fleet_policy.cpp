#include "builder/cli/words/fleet_policy.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/policy/base_use.hpp"

namespace kiln::cli {

namespace {

constexpr std::uint64_t kMostFleetBytes = std::uint64_t{4} << 20;

// fleet.json of a folder or of its images/.
std::optional<fs::path> fleet_file_of(const fs::path& folder) {
  for (const fs::path& file : {folder / "fleet.json", folder / "images/fleet.json"}) {
    if (fs::exists(file)) return file;
  }
  return std::nullopt;
}

bool says_policy(const fs::path& file) {
  const auto text = read_file_if_exists(file, kMostFleetBytes);
  return text && text->find("\"policy\"") != std::string::npos;
}

FleetPolicy policy_of_file(const fs::path& file) {
  FleetPolicy policy;
  policy.fleet = load_definitions(fs::absolute(file).lexically_normal().parent_path(), BrokenImages::set_aside);
  policy.rules = policy.fleet->settings.policy;
  return policy;
}

// Whether a repository is one that a target is published in, at whatever registry and below whatever namespace.
bool is_published_in(const Fleet& fleet, const TargetSpec& target, const std::string& repository) {
  for (const std::string& name : image_names(fleet, target, {"", "19800101", "0"})) {
    std::string own = oci::Reference::parse(name).repository;
    const std::string prefix = fleet.settings.image_namespace + "/";
    if (own.starts_with(prefix)) own = own.substr(prefix.size());
    if (repository == own || repository.ends_with("/" + own)) return true;
  }
  return false;
}

}  // namespace

void add_fleet_policy_word(Arguments& command, std::optional<std::string>& word) {
  command.option("--fleet-policy", word,
                 "fleet.json, or its folder, with the policy to heed; none (default: that of ./ or ./images)");
}

FleetPolicy find_fleet_policy(const std::optional<std::string>& word, const std::vector<fs::path>& folders, Log& log) {
  if (word && *word == "none") {
    for (const fs::path& folder : folders) {
      const auto file = fleet_file_of(folder);
      if (!file || !says_policy(*file)) continue;
      log.warn(fmt::format("--fleet-policy none: the policy of '{}' is not checked", printable(file->string())));
      break;
    }
    return {};
  }
  if (word) {
    const fs::path given = *word;
    const auto file = fs::is_directory(given) ? fleet_file_of(given) : std::optional(given);
    if (!file || !fs::exists(*file)) {
      throw Error(Category::usage, fmt::format("--fleet-policy '{}': there is no such fleet.json; name the file, its "
                                               "folder, or none",
                                               printable(*word)));
    }
    if (file->filename() != "fleet.json")
      throw Error(Category::usage,
                  fmt::format("--fleet-policy '{}': expected a fleet.json, its folder, or none", printable(*word)));
    return policy_of_file(*file);
  }
  for (const fs::path& folder : folders) {
    const auto file = fleet_file_of(folder);
    if (file) return says_policy(*file) ? policy_of_file(*file) : FleetPolicy{};
  }
  return {};
}

FleetPolicy policy_here(const std::optional<std::string>& word) {
  StderrLog log;
  return find_fleet_policy(word, {fs::current_path()}, log);
}

PolicySubject subject_of(const FleetPolicy& policy, const oci::Reference& image) {
  if (policy.fleet) {
    for (const TargetSpec& target : policy.fleet->targets) {
      if (!is_published_in(*policy.fleet, target, image.repository)) continue;
      PolicySubject subject = kiln::subject_of(target);
      subject.target = image.str();
      return subject;
    }
  }
  return {image.str(), image.repository.substr(image.repository.rfind('/') + 1), true};
}

}  // namespace kiln::cli
