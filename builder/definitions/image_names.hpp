#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln {

struct NameValues {
  std::string registry;            // --registry HOST[:PORT]/NAMESPACE; empty: the fleet's
  std::string date;                // {date}: YYYYMMDD
  std::optional<std::string> git;  // {git}: a short commit; nullopt: templates with it are left out
};

// The full references (registry/namespace/repository:tag) a target is published under, in order, each once.
//
// A template may say {image}, {profile}, {date} and {git}; anything else in braces is refused. Without a profile
// {profile} goes together with the one separator (-, _, . or /) before it: "{image}-{profile}" is "{image}". A
// --registry takes the place of registry and namespace; of literal tags (bake files) it keeps the repository's last
// component. Error{usage} for what is no valid reference. Empty where nothing is published (a bake target without
// tags).
std::vector<std::string> image_names(const Fleet& fleet, const TargetSpec& target, const NameValues& values);

// True where a template of the targets uses {git}: only then git has to be asked.
bool uses_git(const std::vector<const TargetSpec*>& targets);

// "20250131" in UTC.
std::string date_for_tags(UnixSeconds now);

// The short commit (12 hex digits) of the checkout that a folder is in; "-dirty" is not appended. nullopt, with a
// warning, where it is in none, git is not installed, or git refuses it. Runs the git program.
std::optional<std::string> git_commit_of(const fs::path& folder, const CancelToken& cancel, Log& log);

}  // namespace kiln
