#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "builder/definitions/bake/module.hpp"
#include "builder/definitions/bake/set_words.hpp"

namespace kiln::bake {

// What a bake is asked for, complete: the targets with all that they inherit, those that their contexts name with them,
// and the groups on the way.
struct Selection {
  std::map<std::string, AttributeValues> targets;
  std::map<std::string, BakeGroup> groups;
};

class Resolver {
 public:
  // Both stay as they are as long as the resolver is there.
  Resolver(const BakeConfig& config, const SetWords& set);

  // Targets, groups and globs over both; none means "default". Error{usage} for an unknown name (with the nearest), and
  // for an `inherits` or `target:` that leads back.
  Selection select(const std::vector<std::string>& requested);
  // A target with what it inherits, before anything else is filled in.
  const AttributeValues& resolve(const std::string& name);
  // Whether a name or glob means anything that is defined.
  bool knows(const std::string& pattern) const;
  // Error{usage} where a target, or one that its contexts name, cannot be resolved.
  void check_links(const std::string& name);
  // Where the value of a target's attribute is said: in the target, else in one that it inherits, else where the target
  // begins. No place for one that --set says.
  hcl::Place place_of(const std::string& name, std::string_view attribute) const;
  // With a context and a Dockerfile. What is printed shows "cwd://x" as "x"; what is built tells them apart.
  enum class ContextOf { print, build };
  AttributeValues complete(const std::string& name, ContextOf context_of = ContextOf::print);

 private:
  // From name to name. Many ways may lead to one: the first is gone, and all others end there, so that a walk takes no
  // longer than the file is long.
  struct Walk {
    std::vector<std::string> path;  // to where it is now
    std::set<std::string> on_path;
    std::set<std::string> begun;

    bool is_on_path(const std::string& name) const { return on_path.contains(name); }
    // False where it has been there.
    bool begin(const std::string& name);
    void end();
  };

  std::vector<std::string> matching(const std::string& pattern) const;
  void add_group(const std::string& name, Selection& into, Walk& walk);
  void add_target(const std::string& name, Selection& into);
  void add_links(const std::string& name, Selection& into, Walk& walk);
  const BakeGroup* find_group(const std::string& name) const;
  const BakeTarget* find_target(const std::string& name) const;
  std::optional<hcl::Place> value_place(const BakeTarget& target, std::string_view attribute,
                                        std::set<std::string>& without) const;
  std::vector<std::string> known_names() const;
  [[noreturn]] void fail_unknown(const std::string& name, const hcl::Place& place, const std::string& what) const;

  const BakeConfig& config_;
  const SetWords& set_;
  std::unordered_map<std::string_view, const BakeTarget*> targets_;
  std::unordered_map<std::string_view, const BakeGroup*> groups_;
  std::map<std::string, AttributeValues> resolved_;
  std::vector<std::string> path_;
  std::set<std::string> sound_;  // targets whose links were checked, and found to be well
};

// {"group": ..., "target": ...} as `docker buildx bake --print` prints it, with a newline behind it.
std::string print_selection(const Selection& selection);

}  // namespace kiln::bake
