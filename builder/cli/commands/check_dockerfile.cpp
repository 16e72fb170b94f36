#include "builder/cli/commands/check_dockerfile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/count_of.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/cli/output/policy_annotations.hpp"
#include "builder/cli/output/print_text.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/dockerfile/check_output.hpp"
#include "builder/dockerfile/checks.hpp"
#include "registry/oci/platform.hpp"

namespace kiln::cli {

namespace {

dockerfile::PlatformParts parts_of(const oci::Platform& platform) {
  return {platform.os, platform.architecture, platform.variant};
}

// What FROM may name without a version: the images of the fleet that the Dockerfile belongs to, and the Debian packages
// of its own definition. Nothing for one that is no part of a fleet.
std::set<std::string> fleet_images_of(const DockerfileInput& input) {
  if (!input.path) return {};
  const fs::path folder = fs::absolute(*input.path).lexically_normal().parent_path();
  if (!fs::exists(folder / "image.json") || !fs::exists(folder.parent_path() / "fleet.json")) return {};
  const Fleet fleet = load_definitions(folder.parent_path(), BrokenImages::set_aside);
  const std::string prefix = fleet.settings.registry_and_namespace();
  std::set<std::string> names;
  for (const TargetSpec& target : fleet.targets) {
    names.insert(target.image);
    if (!prefix.empty()) names.insert(fmt::format("{}/{}", prefix, target.image));
    if (target.debian && target.definition.parent_path() == folder) names.insert("debian");
  }
  return names;
}

dockerfile::CheckOptions options_of(const DockerfileInput& input, const CheckWords& words) {
  dockerfile::CheckOptions options;
  for (const auto& [name, value] : parse_build_args(words.build_args)) options.build_args[name] = value;
  options.build_platform = parts_of(oci::Platform::host());
  const std::vector<oci::Platform> platforms = wanted_platforms(words.platforms);
  options.target_platform = platforms.empty() ? options.build_platform : parts_of(platforms.front());
  options.ignore = dockerfile::read_ignore_rules(input.ignore_text.value_or(""), input.ignore_name);
  options.target = words.target;
  options.fleet_images = fleet_images_of(input);
  return options;
}

std::string render(const dockerfile::CheckReport& report, const DockerfileInput& input, const std::string& format) {
  if (format == "json")
    return visible_json(json_text(dockerfile::check_json(report, input.name), JsonLayout::indented)) + "\n";
  if (format == "sarif")
    return visible_json(
               json_text(dockerfile::check_sarif(report, path_in_repository(input.name)), JsonLayout::indented)) +
           "\n";
  return dockerfile::check_text(report, input.text, input.name);
}

}  // namespace

int check_dockerfile(const DockerfileInput& input, const CheckWords& words) {
  const std::vector<std::string> formats = {"text", "json", "sarif"};
  if (std::find(formats.begin(), formats.end(), words.format) == formats.end()) {
    throw Error(Category::usage, fmt::format("--format: unknown format '{}'{}", printable(words.format),
                                             suggestion(words.format, formats)));
  }
  const dockerfile::CheckReport report = dockerfile::check(input.text, input.name, options_of(input, words));
  StderrLog log;
  for (const std::string& note : report.notes) log.warn(note);
  print_text(render(report, input, words.format));
  if (report.error) return 2;
  const bool refused = report.fails || (words.error_on_warning && !report.findings.empty());
  if (words.format == "text") {
    const std::size_t count = report.findings.size();
    if (count == 0) {
      print_text(fmt::format("{}: nothing found\n", printable(input.name)));
    } else {
      print_text(fmt::format("{}: {}{}\n", printable(input.name), count_of(count, "finding"),
                             refused ? ", which count as errors" : ""));
    }
  }
  return refused ? 1 : 0;
}

}  // namespace kiln::cli
