#include "builder/definitions/image_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/definitions/name_template.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

// --registry without trailing slashes. A first part that is no host would silently mean docker.io.
std::string checked_registry(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  const std::string host(text.substr(0, text.find('/')));
  const auto reference = with_context([&] { return fmt::format("in the registry '{}'", printable(text)); },
                                      [&] { return oci::Reference::parse(fmt::format("{}/x:x", text)); });
  if (reference.registry != host) {
    throw Error(
        Category::usage,
        fmt::format("'{}' is no registry: expected HOST[:PORT][/NAMESPACE] with a '.' or a port in the host, such "
                    "as 'localhost:5000/{}'",
                    printable(text), printable(text)));
  }
  return std::string(text);
}

std::string checked_name(const std::string& text, const TargetSpec& target) {
  if (target.name.empty()) return oci::parse_new_name(text).str();
  return with_context([&] { return fmt::format("in a name of the target '{}'", printable(target.name)); },
                      [&] { return oci::parse_new_name(text).str(); });
}

}  // namespace

std::vector<std::string> image_names(const Fleet& fleet, const TargetSpec& target, const NameValues& values) {
  const std::string registry =
      values.registry.empty() ? fleet.settings.registry_and_namespace() : checked_registry(values.registry);
  const std::optional<std::string> profile = target.profile ? std::optional(target.profile->name) : std::nullopt;

  std::vector<std::string> names;
  const auto add = [&](const std::string& text) {
    std::string name = checked_name(text, target);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  if (!target.tag_templates.empty()) {
    const std::string repository =
        render_template(fleet.settings.repository_template, {{"image", target.image}, {"profile", profile}});
    for (const std::string& tag : target.tag_templates) {
      if (template_uses(tag, "git") && !values.git) continue;
      const std::string rendered = render_template(
          tag, {{"image", target.image}, {"profile", profile}, {"date", values.date}, {"git", values.git}});
      add(fmt::format("{}/{}:{}", registry, repository, rendered));
    }
  }
  for (const std::string& tag : target.tags) {
    const oci::Reference reference = oci::Reference::parse(checked_name(tag, target));
    if (values.registry.empty()) {
      add(tag);
      continue;
    }
    const auto slash = reference.repository.rfind('/');
    add(fmt::format("{}/{}:{}", registry,
                    slash == std::string::npos ? reference.repository : reference.repository.substr(slash + 1),
                    reference.tag_or_latest()));
  }
  return names;
}

bool uses_git(const std::vector<const TargetSpec*>& targets) {
  return std::any_of(targets.begin(), targets.end(), [](const TargetSpec* target) {
    return std::any_of(target->tag_templates.begin(), target->tag_templates.end(),
                       [](const std::string& tag) { return template_uses(tag, "git"); });
  });
}

std::string date_for_tags(UnixSeconds now) {
  const std::string day = format_rfc3339(now).substr(0, 10);
  return day.substr(0, 4) + day.substr(5, 2) + day.substr(8, 2);
}

std::optional<std::string> git_commit_of(const fs::path& folder, const CancelToken& cancel, Log& log) {
  const auto leave_out = [&](std::string_view reason) {
    log.warn(fmt::format("tags with {{git}} are left out: {}", reason));
    return std::nullopt;
  };
  if (!find_program("git")) return leave_out("the program 'git' is not installed");
  Command command;
  command.argv = {"git", "-C", folder.string(), "rev-parse", "--verify", "--short=12", "HEAD"};
  const CommandResult result = run_command(command, cancel);
  const std::string_view commit = trim(result.stdout_bytes);
  const bool is_hex = commit.size() >= 12 && commit.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (result.exit_code == 0 && is_hex) return std::string(commit);
  const std::string_view said = trim(std::string_view(result.stderr_bytes).substr(0, result.stderr_bytes.find('\n')));
  return leave_out(fmt::format("git knows no commit for '{}' ({})", printable(folder.string()), printable(said)));
}

}  // namespace kiln
