#include "builder/definitions/bake_print.hpp"

#include <algorithm>
#include <set>

#include "builder/definitions/bake/definition.hpp"
#include "builder/definitions/bake/resolve.hpp"

namespace kiln {

namespace {

class FleetPrint {
 public:
  FleetPrint(const Fleet& fleet, const BakePrintOptions& options) : fleet_(fleet), options_(options) {}

  // A target and those that its contexts name.
  void add(const TargetSpec& target) {
    if (!printed_.insert(target.name).second) return;
    const TargetSpec complete = with_edges(target);
    for (const auto& [name, value] : complete.contexts) {
      if (!value.starts_with("target:")) continue;
      if (const TargetSpec* linked = fleet_.find(value.substr(7))) add(*linked);
    }
    selection_.targets[target.name] = bake::values_of(complete, options_.working_directory);
  }

  bake::Selection finish(const std::vector<std::string>& requested) {
    for (const std::string& name : requested) add_group(name);
    if (std::find(requested.begin(), requested.end(), "default") == requested.end()) {
      selection_.groups["default"] = {"default", "", requested, {}};
    }
    for (auto& [name, group] : selection_.groups) {
      // With --profile some members of a group are not baked.
      std::erase_if(group.targets, [&](const std::string& member) {
        return !selection_.targets.contains(member) && !selection_.groups.contains(member);
      });
    }
    return std::move(selection_);
  }

 private:
  // The target with the contexts that a plan found, and under the names that it is published under.
  TargetSpec with_edges(const TargetSpec& target) const {
    TargetSpec result = target;
    if (target.debian) result.contexts["debian"] = "kiln-lock://" + target.image;
    if (const auto edges = options_.edges.find(target.name); edges != options_.edges.end()) {
      for (const auto& [name, parent] : edges->second) result.contexts[name] = "target:" + parent;
    }
    if (const auto names = options_.names.find(target.name); names != options_.names.end()) result.tags = names->second;
    return result;
  }

  void add_group(const std::string& name) {
    const auto group = fleet_.groups.find(name);
    if (group == fleet_.groups.end()) return;
    if (!selection_.groups.try_emplace(name, bake::BakeGroup{name, "", group->second, {}}).second) return;
    for (const std::string& member : group->second) add_group(member);
  }

  const Fleet& fleet_;
  const BakePrintOptions& options_;
  std::set<std::string> printed_;
  bake::Selection selection_;
};

}  // namespace

std::string bake_print(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                       const BakePrintOptions& options) {
  FleetPrint print(fleet, options);
  for (const TargetSpec* target : targets) print.add(*target);
  return bake::print_selection(
      print.finish(options.requested.empty() ? std::vector<std::string>{"default"} : options.requested));
}

std::string list_fleet(const Fleet& fleet, const std::string& what) {
  bake::BakeConfig config;
  for (const TargetSpec& target : fleet.targets) {
    bake::BakeTarget listed{target.name, {}, {}, {}};
    listed.values.emplace("description", hcl::Value::of(target.description));
    config.targets.push_back(std::move(listed));
  }
  for (const auto& [name, members] : fleet.groups) config.groups.push_back({name, "", members, {}});
  return bake::list_config(config, what);
}

}  // namespace kiln
