#include "builder/definitions/select.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

[[noreturn]] void malformed(std::string_view pattern) {
  throw Error(Category::usage, fmt::format("'{}' is no valid pattern", printable(pattern)));
}

// One character of a class, with its backslash taken away.
char class_character(std::string_view pattern, std::size_t& at) {
  if (at < pattern.size() && pattern[at] == '\\') ++at;
  if (at >= pattern.size()) malformed(pattern);
  return pattern[at++];
}

// Reads "[...]" at `at` (behind the bracket) and says whether it holds `c`.
bool class_holds(std::string_view pattern, std::size_t& at, char c) {
  const bool is_negated = at < pattern.size() && pattern[at] == '^';
  if (is_negated) ++at;
  bool holds = false;
  for (bool is_first = true; is_first || at >= pattern.size() || pattern[at] != ']'; is_first = false) {
    if (at >= pattern.size() || pattern[at] == '-' || pattern[at] == ']') malformed(pattern);
    const char low = class_character(pattern, at);
    char high = low;
    if (at < pattern.size() && pattern[at] == '-') {
      ++at;
      if (at >= pattern.size() || pattern[at] == ']') malformed(pattern);
      high = class_character(pattern, at);
    }
    holds = holds || (low <= c && c <= high);
  }
  ++at;
  return holds != is_negated;
}

// Reads the whole pattern once against a name that matches nothing, so that a bad one is refused whatever it meets.
void check_glob(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at++];
    if (c == '\\' && at++ >= pattern.size()) malformed(pattern);
    if (c == '[') class_holds(pattern, at, '\0');
  }
}

std::vector<std::string> known_names(const Fleet& fleet) {
  std::set<std::string> names;
  for (const TargetSpec& target : fleet.targets) names.insert(target.name);
  for (const auto& [name, members] : fleet.groups) names.insert(name);
  return {names.begin(), names.end()};
}

bool is_glob(std::string_view name) { return name.find_first_of("*?[]") != std::string_view::npos; }

class Selection {
 public:
  explicit Selection(const Fleet& fleet) : fleet_(fleet) {}

  void add(const std::string& name) {
    if (is_glob(name)) return add_matching(name);
    if (const auto group = fleet_.groups.find(name); group != fleet_.groups.end()) return add_group(*group);
    if (const TargetSpec* target = fleet_.find(name)) {
      found.insert(target->name);
      return;
    }
    throw Error(Category::usage,
                fmt::format("unknown target '{}'{}", printable(name), suggestion(name, known_names(fleet_))));
  }

  std::set<std::string> found;

 private:
  void add_matching(const std::string& pattern) {
    bool matches_any = false;
    for (const std::string& name : known_names(fleet_)) {
      if (!matches_glob(pattern, name)) continue;
      matches_any = true;
      add(name);
    }
    if (!matches_any) {
      throw Error(Category::usage, fmt::format("no target matches '{}'{}", printable(pattern),
                                               suggestion(pattern, known_names(fleet_))));
    }
  }

  void add_group(const std::pair<const std::string, std::vector<std::string>>& group) {
    if (std::find(path_.begin(), path_.end(), group.first) != path_.end()) {
      throw Error(Category::usage, fmt::format("group '{}' contains itself: {} -> {}", printable(group.first),
                                               printable(join(path_, " -> ")), printable(group.first)));
    }
    path_.push_back(group.first);
    for (const std::string& member : group.second) {
      // A group may have the name of a target: as a member of itself it means the target.
      const TargetSpec* target = member == group.first ? fleet_.find(member) : nullptr;
      if (target != nullptr) {
        found.insert(target->name);
      } else {
        add(member);
      }
    }
    path_.pop_back();
  }

  const Fleet& fleet_;
  std::vector<std::string> path_;
};

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view name) {
  check_glob(pattern);
  // Only the last star is ever tried again, so the time is at most the product of both lengths.
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, star_name = 0;
  while (n < name.size() || p < pattern.size()) {
    bool is_match = false;
    std::size_t next = p;
    if (p < pattern.size()) {
      const char c = pattern[next++];
      if (c == '*') {
        star = next;
        star_name = n;
        p = next;
        continue;
      }
      if (n < name.size()) {
        if (c == '?') {
          is_match = true;
        } else if (c == '[') {
          is_match = class_holds(pattern, next, name[n]);
        } else if (c == '\\') {
          is_match = pattern[next++] == name[n];
        } else {
          is_match = c == name[n];
        }
      }
    }
    if (is_match) {
      p = next;
      ++n;
    } else if (star != std::string_view::npos && star_name < name.size()) {
      p = star;
      n = ++star_name;
    } else {
      return false;
    }
  }
  return true;
}

namespace {

// The profile that a target waits for, where that cannot be read; empty for a target of another kind.
std::string broken_profile_of(const Fleet& fleet, const TargetSpec& target) {
  const std::string prefix = target.image + "-";
  if (target.problems.empty() || target.profile || !target.name.starts_with(prefix)) return {};
  const std::string profile = target.name.substr(prefix.size());
  return fleet.profiles.contains(profile) ? "" : profile;
}

}  // namespace

std::vector<const TargetSpec*> select_targets(const Fleet& fleet, const std::vector<std::string>& names,
                                              const std::vector<std::string>& profiles) {
  for (const std::string& profile : profiles) {
    if (fleet.profiles.contains(profile)) continue;
    const auto waits_for_it = [&](const TargetSpec& target) { return broken_profile_of(fleet, target) == profile; };
    // What is wrong with it is told by the targets that are selected.
    if (std::any_of(fleet.targets.begin(), fleet.targets.end(), waits_for_it)) continue;
    // What is wrong with one that no image names is among the fleet's warnings.
    if (fs::exists(fleet.settings.profiles_folder / (profile + ".json")))
      throw Error(Category::usage, fmt::format("profile '{}' cannot be read, as said above", printable(profile)));
    std::vector<std::string> known;
    for (const auto& [name, value] : fleet.profiles) known.push_back(name);
    throw Error(Category::usage, fmt::format("unknown profile '{}'{}", printable(profile), suggestion(profile, known)));
  }
  const auto is_wanted = [&](const TargetSpec& target) {
    const std::string profile = target.profile ? target.profile->name : broken_profile_of(fleet, target);
    return profiles.empty() || profile.empty() ||
           std::find(profiles.begin(), profiles.end(), profile) != profiles.end();
  };
  std::set<std::string> wanted;
  const std::vector<std::string> requested = names.empty() ? std::vector<std::string>{"default"} : names;
  for (const std::string& name : requested) {
    Selection selection(fleet);
    selection.add(name);
    bool has_any = false;
    for (const std::string& found : selection.found) {
      if (!is_wanted(*fleet.find(found))) continue;
      has_any = true;
      wanted.insert(found);
    }
    if (!has_any && !selection.found.empty()) {
      throw Error(Category::usage, fmt::format("'{}' is not baked for the profile '{}'; its targets: {}",
                                               printable(name), printable(join(profiles, "', '")),
                                               join({selection.found.begin(), selection.found.end()}, ", ")));
    }
  }
  std::vector<const TargetSpec*> result;
  for (const TargetSpec& target : fleet.targets) {
    if (wanted.contains(target.name)) result.push_back(&target);
  }
  return result;
}

}  // namespace kiln
