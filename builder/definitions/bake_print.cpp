#include "builder/definitions/bake_print.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "builder/definitions/bake_attributes.hpp"

namespace kiln {

using nlohmann::ordered_json;

namespace {

// What is printed is read as a bake file again, where these begin templates.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool opens = i + 1 < text.size() && text[i + 1] == '{' && (text[i] == '$' || text[i] == '%');
    if (opens) result += text[i];
    result += text[i];
  }
  return result;
}

ordered_json escaped(ordered_json value) {
  if (value.is_string()) return escaped(std::string_view(value.get_ref<const std::string&>()));
  for (auto& member : value) {
    if (member.is_structured() || member.is_string()) member = escaped(std::move(member));
  }
  return value;
}

class Printer {
 public:
  Printer(const Fleet& fleet, const BakePrintOptions& options) : fleet_(fleet), options_(options) {}

  // A target and those that its contexts name.
  void add(const TargetSpec& target) {
    if (!printed_.insert(target.name).second) return;
    const TargetSpec complete = with_edges(target);
    for (const auto& [name, value] : complete.contexts) {
      if (!value.starts_with("target:")) continue;
      if (const TargetSpec* linked = fleet_.find(value.substr(7))) add(*linked);
    }
    ordered_json json = ordered_json::object();
    for (const BakeAttribute& attribute : bake_attributes()) {
      ordered_json value = attribute.print(complete, options_.working_directory);
      if (!value.is_null()) json[std::string(attribute.name)] = escaped(std::move(value));
    }
    targets_[target.name] = std::move(json);
  }

  ordered_json groups(const std::vector<std::string>& requested) {
    std::map<std::string, std::vector<std::string>> result;
    for (const std::string& name : requested) add_group(name, result);
    if (std::find(requested.begin(), requested.end(), "default") == requested.end()) result["default"] = requested;
    ordered_json json = ordered_json::object();
    for (auto& [name, members] : result) {
      // With --profile some members of a group are not baked.
      std::erase_if(members,
                    [&](const std::string& member) { return !targets_.contains(member) && !result.contains(member); });
      json[name]["targets"] = members;
    }
    return json;
  }

  ordered_json targets() const {
    ordered_json json = ordered_json::object();
    for (const auto& [name, target] : targets_) json[name] = target;
    return json;
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

  void add_group(const std::string& name, std::map<std::string, std::vector<std::string>>& into) const {
    const auto group = fleet_.groups.find(name);
    if (group == fleet_.groups.end() || !into.emplace(name, group->second).second) return;
    for (const std::string& member : group->second) add_group(member, into);
  }

  const Fleet& fleet_;
  const BakePrintOptions& options_;
  std::set<std::string> printed_;
  std::map<std::string, ordered_json> targets_;
};

}  // namespace

std::string bake_print(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                       const BakePrintOptions& options) {
  Printer printer(fleet, options);
  for (const TargetSpec* target : targets) printer.add(*target);
  const std::vector<std::string> requested =
      options.requested.empty() ? std::vector<std::string>{"default"} : options.requested;
  ordered_json json = ordered_json::object();
  json["group"] = printer.groups(requested);
  json["target"] = printer.targets();
  return json.dump(2) + "\n";
}

}  // namespace kiln
